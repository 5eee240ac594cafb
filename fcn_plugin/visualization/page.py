"""The HTML of a report: one file without links, scripts or fonts from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, StrictUndefined

STYLE = """
:root { color-scheme: light dark; --text: #1d2329; --soft: #5b6670; --line: #dde2e7; --back: #fff; --card: #f6f8fa;
  --bar: #cfe3f5; --accent: #1f6fb4 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e8ec; --soft: #9aa5b1; --line: #343c45; --back: #14181d; --card: #1c2229; --bar: #21486b;
    --accent: #7db8ec } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 64rem; padding: 2.5rem 1.5rem 4rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif }
h1 { margin: 0; font-size: 1.7rem; overflow-wrap: anywhere }
h2 { margin: 2.6rem 0 .8rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); font-size: 1.15rem }
p { margin: .4rem 0; color: var(--soft) }
dl.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0 0 }
dl.tiles div { flex: 1 1 7rem; padding: .7rem 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem }
dl.tiles dt { color: var(--soft); font-size: .85rem }
dl.tiles dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums }
.wide { overflow-x: auto }
table { width: 100%; border-collapse: collapse; font-size: .92rem }
caption { padding-bottom: .4rem; color: var(--soft); text-align: left }
th, td { padding: .32rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  overflow-wrap: anywhere }
thead th { color: var(--soft); font-weight: 600 }
tbody th { font-weight: 500 }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td.share { background: linear-gradient(var(--bar), var(--bar)) no-repeat 0 50% / var(--value) 72% }
code { font: .88em ui-monospace, monospace; overflow-wrap: anywhere }
figure { margin: 1rem 0 }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; padding: .6rem; background: #fff;
  border: 1px solid var(--line); border-radius: .5rem }
figcaption { margin-top: .3rem; color: var(--soft); font-size: .88rem; text-align: center }
summary { cursor: pointer; color: var(--accent) }
pre { overflow-x: auto; padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  font: .82rem/1.45 ui-monospace, monospace }
@media print { details { display: none } body { padding: 0 } }
"""

TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }}: training report</title>
<style>{{ style }}</style>
</head>
<body>
<header>
<h1>{{ title }}</h1>
<p>{{ state }}</p>
{% if evaluations %}
<dl class="tiles">
{% for name, value in evaluations[0].means.items() %}
<div><dt>{{ name }}</dt><dd>{{ value | percent }}</dd></div>
{% endfor %}
</dl>
{% endif %}
</header>
<main>
{% macro picture(image) %}
<figure><img src="{{ image.data }}" alt="{{ image.alt }}"><figcaption>{{ image.caption }}</figcaption></figure>
{% endmacro %}
{% macro facts(entries) %}
<div class="wide"><table><tbody>
{% for name, value in entries.items() %}
<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endmacro %}
<section id="metrics"><h2>Metrics</h2>
{% for evaluation in evaluations %}
<div class="wide"><table id="{{ evaluation.split }}">
<caption>{{ evaluation.caption }}</caption>
<thead><tr><th scope="col">class</th>{% for name in evaluation.columns %}<th scope="col" class="number">{{ name }}</th>
{%- endfor %}</tr></thead>
<tbody>
{% for class in evaluation.classes %}
{% set row = loop.index0 %}
<tr><th scope="row">{{ class }}</th>
{%- for values in evaluation.columns.values() %}
{%- set value = values[row] %}
<td class="number{{ '' if value is none else ' share' }}"
{%- if value is not none %} style="--value: {{ '%.2f' | format(value) }}%"{% endif %}>{{ value | percent }}</td>
{%- endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% else %}
<p>No validation was logged.</p>
{% endfor %}
</section>
<section id="curves"><h2>Curves</h2>
{{ picture(curves) }}
{% if stages | length > 1 %}
<div class="wide"><table><caption>Stages</caption>
<thead><tr><th scope="col">stage</th><th scope="col" class="number">iterations</th>
<th scope="col" class="number">last loss (median)</th><th scope="col" class="number">last mIoU</th></tr></thead>
<tbody>
{% for stage in stages %}
<tr><th scope="row">{{ stage.name }}</th><td class="number">{{ '{:,}'.format(stage.iterations) }}</td>
<td class="number">{{ stage.loss }}</td><td class="number">{{ stage.mean_iu | percent }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endif %}
</section>
{% if samples %}
<section id="samples"><h2>Samples</h2>
<p>{{ samples_note }}</p>
{% for image in samples %}
{{ picture(image) }}
{% endfor %}
</section>
{% endif %}
<section id="data"><h2>Data</h2>
<div class="wide"><table>
<thead><tr><th scope="col">split</th><th scope="col">data set</th><th scope="col">list</th>
<th scope="col">root</th><th scope="col" class="number">images</th></tr></thead>
<tbody>
{% for entry in data %}
<tr><th scope="row">{{ entry.split }}</th><td>{{ entry.dataset }}</td><td><code>{{ entry.name }}</code></td>
<td><code>{{ entry.root }}</code></td>
<td class="number">{{ 'not found' if entry.images is none else '{:,}'.format(entry.images) }}</td></tr>
{% endfor %}
</tbody></table></div>
</section>
<section id="weights"><h2>Weights</h2>
{{ facts(weights) }}
</section>
<section id="environment"><h2>Environment</h2>
{% if environment %}{{ facts(environment) }}{% else %}<p>No text log was found.</p>{% endif %}
</section>
<section id="config"><h2>Config</h2>
<details><summary>{{ config_name }}, {{ config.splitlines() | length }} lines</summary>
<pre>{{ config }}</pre></details>
</section>
</main>
</body>
</html>
"""


def render(content: Mapping[str, Any]) -> str:
    """Fill in a value for each name in :data:`TEMPLATE`; everything that is filled in is escaped."""
    jinja = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.filters["percent"] = lambda value: "–" if value is None else f"{value:.2f}"
    return jinja.from_string(TEMPLATE).render({**content, "style": STYLE})


def data_url(content: bytes, mime_type: str) -> str:
    """The content of a picture as its address."""
    return f"data:{mime_type};base64,{base64.b64encode(content).decode('ascii')}"
