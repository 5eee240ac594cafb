"""That help, wrong usage and completion of the command need the standard library alone, so that they are quick."""

import json
import sys

import pytest
from testing.utils import ROOT, run

from fcn_plugin_cli.main import COMMANDS

#: Asks each command and each tool for its help and for the version, and writes what was printed and imported.
SCRIPT = """
import contextlib, io, json, runpy, sys
before = set(sys.modules)
from fcn_plugin_cli.main import COMMANDS, main, whole_parser

def printed(function):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), contextlib.suppress(SystemExit):
        function()
    return out.getvalue()

whole_parser()
helps = {name: printed(lambda: main([*name.split(), "--help"])) for name in ["", "prepare", *COMMANDS]}
for tool in sys.argv[1:]:
    sys.argv = [tool, "--help"]
    helps[tool] = printed(lambda: runpy.run_path(tool, run_name="__main__"))
helps["version"] = printed(lambda: main(["--version"]))
helps["wrong"] = printed(lambda: main(["train", "--wrok-dir"]))
imported = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
print(json.dumps([helps, sorted(imported)]))
"""


def test_help_imports_the_standard_library_alone(tmp_path):
    tools = [str(path) for path in sorted((ROOT / "tools").glob("*.py"))]
    assert len(tools) == len(COMMANDS)
    # without the tests' sitecustomize, which imports torch
    outcome = run(sys.executable, "-c", SCRIPT, *tools, cwd=tmp_path, PYTHONPATH=ROOT).check()
    helps, imported = json.loads(outcome.stdout)
    assert imported == ["fcn_plugin_cli"]
    assert all(text.startswith("usage: ") for name, text in helps.items() if name != "version")
    assert all("\nexamples:\n  fcn " in helps[name] for name in ["", "prepare", *COMMANDS, *tools])
    assert helps["version"].startswith("fcn_plugin ") and "did you mean '--work-dir'" in helps["wrong"]


@pytest.mark.parametrize(
    "line, script, expected",
    [
        ("fcn tr", "fcn", ["train "]),
        ("fcn prepare voc --ch", "fcn", ["--check "]),
        ("fcn import a.pth --preprocessing caffe --dt", "fcn", ["--dtype "]),
        ("tools/train.py --accept", "tools/train.py", ["--accept-changes "]),
    ],
)
def test_completion(line, script, expected, tmp_path):
    """As argcomplete's shell functions ask for it: the answers come through the file descriptor 8."""
    (tmp_path / "fcn").write_text("from fcn_plugin_cli.main import main\nmain()\n")
    path = tmp_path / "fcn" if script == "fcn" else ROOT / script
    asked = dict(_ARGCOMPLETE=1, _ARGCOMPLETE_IFS="\n", COMP_LINE=line, COMP_POINT=len(line), COMP_TYPE=9)
    command = 'exec "$0" -X importtime "$1" 8>&1 9>/dev/null'
    outcome = run("bash", "-c", command, sys.executable, path, cwd=tmp_path, PYTHONPATH=ROOT, **asked).check()
    assert outcome.stdout.splitlines() == expected
    assert "argcomplete" in outcome.stderr and "torch" not in outcome.stderr


def test_marks_for_global_completion():
    """Where argcomplete's shell functions look for them: in scripts, and in the module of an entry point."""
    marked = [ROOT / "fcn_plugin_cli/main.py", *(ROOT / "tools").glob("*.py")]
    assert [path.name for path in marked if "PYTHON_ARGCOMPLETE_OK" not in path.read_text()[:1024]] == []
