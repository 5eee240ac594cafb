"""The files that a new data set has for its training: a config, and the weights that it starts from."""

from __future__ import annotations

from pathlib import Path
from pprint import pformat

from jinja2 import Environment, StrictUndefined

from .choices import Choices
from .facts import DatasetFacts

TEMPLATE = Path(__file__).with_name("config.py.jinja")
CONFIG, WEIGHTS = "config.py", "backbone.pth"  #: names of the files
WIDTH = 120  #: of a line of the config


def config_files(facts: DatasetFacts, choices: Choices) -> dict[str, str | bytes]:
    """The files to write beside the pictures, by name: the config, and the weights that it starts from, if it does.

    Args:
        facts (DatasetFacts): of the data set.
        choices (Choices): what was chosen from them.
    """
    # other marks than jinja's usual ones: `{{ fileDirname }}` is the toolbox's
    marks = dict(variable_start_string="<<", variable_end_string=">>", block_start_string="<%", block_end_string="%>")
    environment = Environment(**marks, undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["quoted"] = repr
    trunk, start, eight_bit_colours = choices.trunk, choices.start, facts.bands == 3 and facts.bits == 8

    def init_cfg(part: str) -> str:
        if part not in start.parts:
            return "None"
        return f"dict(type='Pretrained', checkpoint=data_root + '/{WEIGHTS}')"

    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        facts=facts,
        choices=choices,
        trunk=trunk,
        length=choices.length,
        some=choices.length.val_pictures < facts.splits["val"],
        classes=_listed("classes = ", tuple(facts.classes)),
        palette=_listed("palette = ", [list(map(int, colour)) for colour in facts.palette]),
        loader="LoadImageFromFile" if eight_bit_colours else "LoadBands",
        photometric=eight_bit_colours,
        in_channels="" if facts.bands == 3 else f"in_channels={facts.bands}, ",
        input_note="as the weights expect" if start.preprocessing and eight_bit_colours else "of the pictures",
        init_cfg=init_cfg,
        start=start,
        class_weight=_listed("class_weight = ", list(choices.class_weight or [])),
        test_cfg="dict({})".format(", ".join(f"{key}={value!r}" for key, value in (choices.test_cfg or {}).items())),
    )
    return {CONFIG: text, **({WEIGHTS: start.content} if start.content else {})}


def _listed(start: str, value: object) -> str:
    """A value as Python text that fits into lines behind their start."""
    return pformat(value, width=WIDTH - len(start), compact=True).replace("\n", "\n" + " " * len(start))
