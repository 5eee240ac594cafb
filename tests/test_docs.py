"""That README and docs are right: their code runs, their configs build, their commands parse, and their files exist.

Blocks ``python run`` are run in the order of the page, and what they print is compared with a following ``text`` block.
Blocks ``python config NAME`` are read as config files beside the shipped ones.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import shutil
import sys
from itertools import product, zip_longest
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS, MODELS
from PIL import Image
from testing.utils import ROOT, skip_on_openmmlab, tiny_config
from testing.weight_files import fcn_weights, write_caffemodel

import fcn_plugin
from fcn_plugin.checks.model import check_model
from fcn_plugin_cli import main as cli

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, start: str) -> list[tuple[str, str, str]]:
    """Info, text, and the text of a following ``text`` block, of the blocks of a page whose info starts so."""
    content = page.read_text()
    found, kept = list(BLOCK.finditer(content)), []
    for block, after in zip_longest(found, found[1:]):
        follows = after and after["info"].strip() == "text" and not content[block.end() : after.start()].strip()
        if block["info"].strip().startswith(start):
            kept.append((block["info"].strip(), block["text"], after["text"] if follows else ""))
    return kept


def pages_with(start: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, start)]


def tool_commands() -> list[tuple[str, ...]]:
    """The command lines of all pages that run ``fcn`` or a tool: in ``bash`` blocks and in indented lines."""
    found = set()
    for page in PAGES:
        lines = "\n".join(block for _, block, _ in blocks(page, "bash"))
        lines += "\n" + "\n".join(re.findall(r"^ {4,}(\S.*)$", BLOCK.sub("", page.read_text()), re.MULTILINE))
        for line in re.sub(r"\\\n\s*", " ", lines).splitlines():
            if command := re.match(r"(?:\w+=\S+ )*(?:python (tools/.*)|(fcn .*))", line):
                found.add(tuple(shlex.split(command[1] or command[2], comments=True)))
    assert len({command[:1] if command[0] != "fcn" else command[:2] for command in found}) >= 10
    return sorted(found)


@pytest.fixture
def own_registries(monkeypatch):
    """What a page registers is gone afterwards."""
    for registry in (MODELS, DATASETS):
        monkeypatch.setattr(registry, "_module_dict", dict(registry.module_dict))
    with DefaultScope.overwrite_default_scope("mmseg"):
        yield


@pytest.mark.parametrize("page", pages_with("python run"), ids=lambda page: page.stem)
def test_code_prints_what_the_page_says(page, own_registries):
    namespace = {}
    for _, code, expected in blocks(page, "python run"):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, page.name, "exec"), namespace)
        assert out.getvalue().strip() == expected.strip(), code


@pytest.mark.parametrize("page", pages_with("python config"), ids=lambda page: page.stem)
def test_configs_build(page, tmp_path):
    configs = shutil.copytree(ROOT / "configs", tmp_path / "configs")
    for info, text, _ in blocks(page, "python config"):
        path = configs / info.split()[2]
        assert not path.exists(), f"{info} is there already"
        if "TIMMBackbone" in text:
            skip_on_openmmlab("timm")
        path.write_text(text)
        cfg = Config.fromfile(path)
        check_model(cfg)
        assert Path(cfg.get("earlier_stage") or path).is_file()


@pytest.mark.parametrize("page", pages_with("python"), ids=lambda page: page.stem)
def test_other_code_compiles(page):
    for _, code, _ in blocks(page, "python"):
        compile(code, page.name, "exec")


def test_the_first_code_of_the_readme_paints_a_picture(tmp_path, monkeypatch, voc):
    """With a narrow network in a file of the reference's format."""
    (_, code, _), *_ = blocks(ROOT / "README.md", "python")
    assert len(code.splitlines()) <= 5
    tiny_config(tmp_path, voc, "fcn8s_vgg16_sbd", "fcn8s_vgg16_sbd")
    write_caffemodel(tmp_path / "fcn8s-heavy-pascal.caffemodel", fcn_weights((4, 3)))
    shutil.copy(voc / "JPEGImages/image0.jpg", tmp_path / "cat.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fcn_plugin, "config_dir", lambda: tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    photograph, painted = (np.asarray(Image.open(name)) for name in ("cat.jpg", "painted.png"))
    assert photograph.shape == painted.shape and (photograph != painted).any()


@pytest.mark.parametrize("command", tool_commands(), ids=" ".join)
def test_tools_take_the_command(command, monkeypatch):
    parsed, errors = [], io.StringIO()
    monkeypatch.setattr(cli, "execute", lambda command, parser, args: parsed.append(args))
    monkeypatch.setattr(sys, "argv", list(command))
    try:
        with contextlib.redirect_stderr(errors):
            cli.main() if command[0] == "fcn" else runpy.run_path(str(ROOT / command[0]), run_name="__main__")
    except SystemExit:
        pytest.fail(errors.getvalue())
    assert len(parsed) == 1


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        if "://" not in path:
            target = page.parent / path if path else page
            assert target.exists(), link
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE) if anchor else []
            assert not anchor or anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}, link


def expanded(name: str) -> list[str]:
    """The names that braces mean: ``fcn32s-{a,b}_voc``."""
    parts = [part[1:-1].split(",") if part.startswith("{") else [part] for part in re.split(r"(\{[^}]*\})", name)]
    return ["".join(choice) for choice in product(*parts)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_named_files_exist(page):
    text = page.read_text()
    own = {f"configs/{info.split()[2]}" for one in PAGES for info, _, _ in blocks(one, "python config")}
    paths = re.findall(r"(?<![\w/.])((?:configs|tools|docs|fcn_plugin|tests)/[\w./{},-]+\.\w+)", text)
    missing = {path for name in paths for path in expanded(name) if not (ROOT / path).exists()} - own
    names = re.findall(r"`(fcn\d+s[\w{},-]*_[\w{},-]+?)(?:\.py)?`", text)
    shipped = {path.stem for path in (ROOT / "configs").glob("*.py")}
    assert not missing and not {one for name in names for one in expanded(name)} - shipped
