"""The command fcn: its subcommands, the tools that are the same, and what it says of wrong input."""

import os
import runpy
import shlex
import sys
from argparse import ArgumentError
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import TestLoop
from mmseg.registry import MODELS
from testing.utils import ROOT, run

import fcn_plugin
from fcn_plugin.checks.run import check_training
from fcn_plugin.weights.checkpoint import WeightsError
from fcn_plugin_cli import main as cli
from fcn_plugin_cli.commands import train

#: The tool by the toolbox's or its customary name, arguments that it takes, and what some of them become.
TOOLS = {
    "new-dataset": ("new_dataset.py", "i m --out o --classes a b --link", dict(classes=["a", "b"], link=True)),
    "train": ("train.py", "c.py --no-amp --stage-only --resume --local-rank 1", dict(amp=False, local_rank=1)),
    "test": ("test.py", "c.py a.pth --tta --no-check --work-dir w", dict(checkpoint="a.pth", check_data=False)),
    "predict": ("infer.py", "a.jpg --out o b.jpg c.py a.pth --no-png", dict(sources=["a.jpg", "b.jpg"], config="c.py")),
    "import": ("import_weights.py", "vgg.pth o.pth --for c.py", dict(source="vgg.pth", config="c.py")),
    "export": ("export.py", "c.py a.pth --out a.onnx --shape 3 4", dict(weights="a.pth", shape=[3, 4])),
    "prepare voc": ("prepare_voc.py", "root --no-sbd --url sbd=x", dict(root="root", sbd=False, url=["sbd=x"])),
    "prepare camvid": ("prepare_camvid.py", "source --workers 3", dict(root="data/camvid", workers=3)),
    "prepare shapes": ("make_shapes.py", "out --train 5 --size 70 80", dict(train=5, val=80, size=[70, 80])),
    "compare": ("compare.py", "c.py a=b c --out o", dict(predictions=["a=b", "c"], split="val", rows=10)),
    "report": ("report.py", "work --predictions a b --rows 2", dict(work_dir="work", predictions=["a", "b"], rows=2)),
    "plot": ("plot_run.py", "work a=b --out o.png --stage-only", dict(work_dirs=["work", "a=b"], stage_only=True)),
    "browse": ("browse_dataset.py", "c.py --split val --data-root d", dict(split="val", number=10, data_root="d")),
    "alignment": ("alignment.py", "c.py --index -1 --cfg-options a.b=1", dict(index=[-1], cfg_options={"a.b": 1})),
    "heat-map": ("class_heat_map.py", "vgg.pth i.png --out o.png --class cat", dict(classes=["cat"], top=1)),
    "oracle": ("oracle.py", "labels --factors 3 4", dict(factors=[3, 4], ignore_index=255, upsampling="nearest")),
    "data-speed": ("benchmark_data.py", "c.py --workers 0 2", dict(workers=[0, 2], split="train", seconds=10)),
    "patches": ("benchmark_patches.py", "--sizes 404", dict(sizes=[404], batch_size=16)),
    "benchmark": ("benchmark.py", "c.py --shape 3 4 --repeat-times 2", dict(shape=[3, 4], repeats=2, layers=False)),
    "demo": ("demo.py", "--images 2 --no-amp", dict(images=2, amp=False)),
}


@pytest.fixture
def executed(monkeypatch):
    """What would be executed, by the name in its usage: the module and its parsed arguments."""
    found = {}
    monkeypatch.setattr(cli, "execute", lambda command, parser, args: found.update({parser.prog: (command, args)}))
    return found


def test_each_subcommand_has_a_tool():
    assert list(TOOLS) == list(cli.COMMANDS)
    assert {tool for tool, *_ in TOOLS.values()} == {path.name for path in (ROOT / "tools").glob("*.py")}


@pytest.mark.parametrize("name", TOOLS)
def test_the_tool_does_the_same(name, executed, monkeypatch):
    tool, line, expected = TOOLS[name]
    cli.main([*name.split(), *line.split()])
    monkeypatch.setattr(sys, "argv", [f"tools/{tool}", *line.split()])
    runpy.run_path(str(ROOT / "tools" / tool), run_name="__main__")
    assert list(executed) == [f"fcn {name}", tool]
    (command, args), by_tool = executed.values()
    assert (command, args) == by_tool and callable(command.run)
    assert {key: getattr(args, key) for key in expected} == expected


@pytest.mark.parametrize("name", TOOLS)
def test_help_names_all_options(name, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([*name.split(), "--help"])
    printed = capsys.readouterr().out
    command, parser = cli.load(name)
    assert end.value.code == 0 and printed.startswith(f"usage: fcn {name} ")
    assert " ".join(command.__doc__.split()) in " ".join(printed.split())
    options = [option for action in parser._actions for option in action.option_strings]
    assert len(options) >= 4 and all(option in printed for option in options)
    assert all(action.help for action in parser._actions)


@pytest.mark.parametrize("name", TOOLS)
def test_examples(name, executed):
    """Each is a command line that its own parser takes, and the shipped configs in it are there."""
    examples = cli.load(name)[0].EXAMPLES
    assert 1 <= len(examples) <= 3
    for example in examples:
        program, *words = shlex.split(example)
        assert program == "fcn" and " ".join(words[: len(name.split())]) == name
        cli.main(words)
        assert executed.pop(f"fcn {name}")
        assert all((ROOT / word).is_file() for word in words if word.startswith("configs/"))


def test_benchmark_without_the_repository(monkeypatch, tmp_path):
    monkeypatch.setattr(fcn_plugin, "tools_dir", lambda: tmp_path / "tools")
    with pytest.raises(FileNotFoundError, match=r"needs the folder benchmarks/ .* run `pip install -e \.` in a clone"):
        cli.load("benchmark")[0].run(SimpleNamespace())


def test_help_of_a_misspelt_line(capsys):
    """Who asks for help gets it."""
    with pytest.raises(SystemExit) as end:
        cli.main(["train", "--wrok-dir", "w", "--help"])
    assert end.value.code == 0 and "examples:\n  fcn train configs/" in capsys.readouterr().out


def test_hint_of_a_tool(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tools/infer.py", "a.jpg", "--opacty", "1"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(ROOT / "tools/infer.py"), run_name="__main__")
    assert "infer.py: error: unrecognized arguments: --opacty, did you mean '--opacity'?" in capsys.readouterr().err


def test_overview_by_the_package(tmp_path):
    printed = run(sys.executable, "-m", "fcn_plugin", "-h", cwd=tmp_path).check().stdout
    assert all(name in printed for name in TOOLS)


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"fcn_plugin {fcn_plugin.__version__}\n"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "fcn: error: give a command"),
        (["prepare"], "fcn prepare: error: give a command"),
        (["trian", "--help"], "there is no command 'trian', did you mean 'train'?"),
        (["prepare", "vco"], "there is no command 'prepare vco', did you mean 'prepare voc'?"),
        (["prepar", "voc"], "there is no command 'prepar', did you mean 'prepare'?"),
        (["heatmap"], "there is no command 'heatmap', did you mean 'heat-map'?"),
        (["xyz"], "there is no command 'xyz'\n"),
        (["--xyz"], "unrecognized arguments: --xyz"),
        (["oracle", "labels", "--xyz"], "fcn oracle: error: unrecognized arguments: --xyz\n"),
        (["--verison"], "fcn: error: unrecognized arguments: --verison, did you mean '--version'?"),
        (["train", "c.py", "--wrok-dir", "w"], "unrecognized arguments: --wrok-dir, did you mean '--work-dir'?"),
        (["train", "c.py", "--wrok-dir=w w"], "unrecognized arguments: --wrok-dir, did you mean '--work-dir'?"),
        (["train", "c.py", "-amp"], "unrecognized arguments: -amp, did you mean '--amp'?"),
        (["train", "--cfg", "a=1"], "unrecognized arguments: --cfg, did you mean '--cfg-options'?"),
        (["train", "c.py", "--no"], "unrecognized arguments: --no, did you mean '--no-amp' or '--no-check'?"),
        (["predict", "--frame", "--xyz"], "unrecognized arguments: --frame, did you mean '--frames'?; --xyz\n"),
        (["export", "c.py", "a.pth", "--otu", "b.onnx"], "unrecognized arguments: --otu, did you mean '--out'?"),
        (
            ["prepare", "voc", "--chek"],
            "unrecognized arguments: --chek, did you mean '--check'?",
        ),
        (["train", "c.py", "--", "--amp"], "fcn train: error: unrecognized arguments: --amp\n"),
        (["pred"], "there is no command 'pred', did you mean 'predict'?"),
        (["train", "c.py", "--cfg-options", "train_cfg.max_iters"], "expected key=value, got 'train_cfg.max_iters'"),
        (["export", "c.py", "a.pth", "--out", "b.onnx", "--cfg-options", "=1"], "expected key=value, got '=1'"),
        (["alignment", "c.py", "--image", "i.png"], "fcn alignment: error: --image needs --out PICTURE"),
    ],
)
def test_wrong_usage(arguments, message, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2 and message in capsys.readouterr().err


class TestExecute:
    """How a subcommand ends."""

    @pytest.fixture
    def end(self, monkeypatch):
        monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0")

        def end(outcome, **attributes):
            """The exit code of a subcommand that returns the outcome or raises it."""

            def run(args):
                assert os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] == "1"
                if isinstance(outcome, BaseException):
                    raise outcome
                return outcome

            try:
                cli.execute(SimpleNamespace(run=run, **attributes), cli.overview(), SimpleNamespace(out="here"))
            except SystemExit as error:
                return error.code

        return end

    def test_codes(self, end, capsys):
        assert end(None) is None and end(0) is None and end(1) == 1
        assert end(ArgumentError(None, "no")) == 2 and "error: no" in capsys.readouterr().err

    @pytest.mark.parametrize("kind", [ValueError, OSError, FileNotFoundError])
    def test_user_errors(self, end, kind):
        assert end(kind("no such thing")) == "error: no such thing"

    def test_a_missing_toolbox(self, end):
        """Its remedy stands in the package's error; what fails to be imported otherwise keeps its traceback."""
        assert end(ImportError("run pip install"), is_user_error=None) == "error: run pip install"
        with pytest.raises(ImportError):
            end(ImportError("no symbol", name="mmcv._ext"))

    def test_others_keep_their_traceback(self, end):
        with pytest.raises(RuntimeError, match="bug"):
            end(RuntimeError("bug"))
        assert end(RuntimeError("server"), is_user_error=lambda error: True) == "error: server"

    def test_components_that_cannot_be_built(self, end):
        """The toolbox's errors are of many kinds; so are those of bugs elsewhere, which keep their traceback."""

        def error(function):
            with pytest.raises(Exception) as caught:
                function()
            return caught.value

        misspelt = error(lambda: MODELS.build(dict(type="FCNVGG", detph=16)))
        assert end(misspelt) == "error: FCNVGG has no setting 'detph', did you mean 'depth'?"
        with pytest.raises(TypeError):
            end(error(lambda: dict(1)))

    def test_in_python_s_development_mode(self, end, monkeypatch):
        """The traceback is there for who asks for it."""
        monkeypatch.setattr(cli, "sys", SimpleNamespace(flags=SimpleNamespace(dev_mode=True), exit=sys.exit))
        with pytest.raises(ValueError, match="no such thing"):
            end(ValueError("no such thing"))

    def test_interruption(self, end, capsys):
        assert end(KeyboardInterrupt()) == 130 and capsys.readouterr().err == "Interrupted.\n"
        assert end(KeyboardInterrupt(), INTERRUPTED="{out} is whole") == 130
        assert capsys.readouterr().err == "here is whole\n"

    def test_in_the_middle_of_a_training(self):
        """Only of weights a line is enough; where a label breaks the hundredth iteration, the traceback is kept."""

        def caught(function, error):
            def fail(*_, **__):
                raise error

            with pytest.raises(type(error)) as info:
                function(fail)
            return info.value

        in_loop = lambda fail: TestLoop.run(SimpleNamespace(runner=SimpleNamespace(call_hook=fail)))  # noqa: E731
        before = lambda fail: torch.no_grad()(fail)()  # noqa: E731  wrapped as a loop is
        assert train.is_user_error(caught(before, ValueError())) and train.is_user_error(caught(before, OSError()))
        assert not train.is_user_error(caught(in_loop, ValueError()))
        assert train.is_user_error(caught(in_loop, WeightsError()))
        assert not train.is_user_error(caught(before, RuntimeError()))
        cfg = Config(dict(model=dict(type="EncoderDecoder", backbone=3)))
        with pytest.raises(Exception) as checked:
            check_training([cfg], [3])  # a bug, of whomever: nothing is trained yet
        assert train.is_user_error(checked.value)
