"""tools/prepare_voc.py: from a server to a trained network, and wrong inputs."""

import re

import pytest
from testing.small_release import LISTS, make_archives, serving
from testing.utils import run_tool, tiny_config

from fcn_plugin.datasets.preparation import release
from fcn_plugin_cli import main as cli

ARCHIVES = ["VOCtrainval_11-May-2012.tar", "benchmark.tgz"]


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """``fcn prepare voc`` with a small release; calling it gives its exit code, 0 by default."""
    monkeypatch.setattr(release, "VOC_RELEASE", make_archives(tmp_path / "archives"))
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")  # fcn sets it: for this test alone

    def call(*arguments: object) -> object:
        try:
            cli.main(["prepare", "voc", *map(str, arguments)])
        except SystemExit as end:
            return end.code
        return 0

    return call


def test_from_a_server_to_a_test(tool, tmp_path, capsys):
    root = tmp_path / "VOCdevkit"
    with serving(tmp_path / "archives") as server:
        urls = [f"--url={key}={server.url(name)}" for key, name in zip(("voc2012", "sbd"), ARCHIVES)]
        assert tool(root, "--workers", 1, *urls) == 0
        printed = capsys.readouterr().out
        assert printed.startswith(f"{root} needs about 0.0 GB of disk") and f"Downloading {ARCHIVES[0]}" in printed
        assert printed.endswith(f"{root} is complete; what is in {root}/downloads is not needed any more.\n")
        assert len(server.requests) == 2
    assert tool(root) == 0
    assert capsys.readouterr().out == f"Nothing to do: {root} is complete.\n"
    assert tool(root, "--check") == 0
    assert capsys.readouterr().out == f"{root} is complete.\n"

    config = tiny_config(tmp_path, root / "VOC2012", "fcn32s_vgg16_sbd", **{"train_cfg.max_iters": 2})
    run_tool("train.py", config, "--work-dir", tmp_path / "work", cwd=tmp_path).check()
    options = ("--work-dir", tmp_path / "work", "--out", tmp_path / "out")
    outcome = run_tool("test.py", config, tmp_path / "work/iter_2.pth", *options, cwd=tmp_path).check()
    assert re.search(r"aAcc: [\d.]+  mIoU: [\d.]+", outcome.stdout)
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.png")) == sorted(LISTS["seg11valid"])

    lost = root / "VOC2012/SegmentationClassSBD/2010_000001.png"
    lost.unlink()
    assert tool(root, "--check") == 1
    printed = capsys.readouterr().out
    assert printed == f"{lost.parent} lacks 1 of the 5 in sbd_train.txt: 2010_000001.png\n"
    assert not lost.exists() and tool(root, "--check", "--no-sbd") == 0


def test_from_archives(tool, tmp_path, capsys):
    assert tool(tmp_path / "a", "--archives", tmp_path / "archives", "--no-sbd") == 0
    assert not (tmp_path / "a/VOC2012/SegmentationClassSBD").exists()
    assert tool(tmp_path / "a", "--archives", tmp_path / "archives", "--voc2011") == 0
    printed = capsys.readouterr().out
    assert "seg11valid is VOC2011's val without SBD train: 2 images." in printed
    assert tool(tmp_path / "a", "--check") == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["root", "--archives", "empty"], "empty has no VOCtrainval_11-May-2012.tar (http://host.robots.ox.ac.uk/"),
        (["file"], "file is a file: give a directory"),
        (
            ["root", "--archives", "cut"],
            "cut/VOCtrainval_11-May-2012.tar has 10 bytes, expected 1,999,639,040",
        ),
        (["root", "--url", "voc2012"], "expected an http:// or https:// address for voc2012, got ''"),
        (["root", "--url", "voc2010=http://x/y"], "there is no archive 'voc2010' to download"),
        (["root", "--workers", "0"], "expected 1 worker or more, got 0"),
    ],
)
def test_wrong_input(tmp_path, refuses, arguments, message):
    (tmp_path / "file").touch()
    for folder in ("empty", "cut"):
        (tmp_path / folder).mkdir()
    for name in ARCHIVES:
        (tmp_path / "cut" / name).write_bytes(b"0123456789")
    refuses(message, "prepare", "voc", *arguments)
