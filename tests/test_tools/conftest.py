"""Wrong input for the subcommands of fcn, without a process for each."""

import warnings
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

from fcn_plugin_cli import main as cli


@pytest.fixture
def refuses(tmp_path, monkeypatch, capsys):
    """Call ``fcn``, in an empty directory, with what it must refuse: one line says it, and no file is written.

    The call takes what must be in the line, and the arguments; it gives what was printed before.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")  # fcn sets it: for this test alone

    def call(message: str, *arguments: object) -> str:
        before = sorted(Path().rglob("*"))
        with DefaultScope.overwrite_default_scope("mmseg"), warnings.catch_warnings(), pytest.raises(SystemExit) as end:
            cli.main([str(argument) for argument in arguments])
        assert isinstance(end.value.code, str) and end.value.code.startswith("error: ")  # exit code 1
        assert message in end.value.code
        assert sorted(Path().rglob("*")) == before
        return capsys.readouterr().out

    return call
