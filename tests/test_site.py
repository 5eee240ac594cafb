"""The site of the docs: it builds without a warning, and shows what GitHub shows."""

import re
import sys

import pytest
from markdown_it import MarkdownIt
from testing.utils import ROOT, run

pytest.importorskip("mkdocs", reason='needs pip install ".[docs]"')

PAGES = {path.stem: path for path in (ROOT / "docs").glob("*.md")}
#: What a page consists of; on GitHub, a list needs no empty line before it, and less indentation inside.
PARTS = ("li", "table", "td", "pre", "h1", "h2", "h3", "strong", "img")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    built = run(sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", out, cwd=ROOT)
    assert built.returncode == 0, built.stdout + built.stderr
    return out


def parts(html):
    return {part: len(re.findall(rf"<{part}[ >]", html)) for part in PARTS}


def article(site, stem):
    html = (site / ("" if stem == "README" else stem) / "index.html").read_text()
    return re.search(r"<article.*?</article>", html, re.DOTALL)[0]


@pytest.mark.parametrize("stem", sorted(PAGES.keys() - {"api"}))
def test_page_is_that_of_github(site, stem):
    assert parts(article(site, stem)) == parts(
        MarkdownIt("gfm-like", {"linkify": False}).render(PAGES[stem].read_text())
    )


def test_reference_has_the_components(site):
    headings = set(re.findall(r'<h\d id="([\w.]+)"', article(site, "api")))
    expected = {
        "fcn_plugin.apis.model.init_model",
        "fcn_plugin.models.segmentors.AlignedEncoderDecoder",
        "fcn_plugin.models.decode_heads.FCN8sHead",
        "fcn_plugin.geometry.CoordMap",
        "fcn_plugin.evaluation.FCNMetric",
    }
    assert expected <= headings
