# PYTHON_ARGCOMPLETE_OK
"""The command ``fcn``. Its subcommands are also ``tools/*.py``, by the toolbox's names."""

from __future__ import annotations

import argparse
import importlib
import os
import runpy
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from types import ModuleType

from .parser import Parser, nearest

#: By subcommand: its module in :mod:`fcn_plugin_cli.commands`, and what it does.
COMMANDS = {
    "new-dataset": ("new_dataset", "make a data set and its config from pictures and masks"),
    "train": ("train", "train a config with all the stages that lead to it"),
    "test": ("test", "test a checkpoint on a config's test set"),
    "predict": ("predict", "predict pictures and videos"),
    "import": ("import_weights", "turn weights of other projects into a checkpoint"),
    "export": ("export", "write a network as ONNX or torch.export"),
    "prepare voc": ("prepare_voc", "download PASCAL VOC 2012 and SBD, write labels and lists"),
    "prepare camvid": ("prepare_camvid", "bring CamVid to the layout of VOC"),
    "prepare shapes": ("prepare_shapes", "draw the demo's data set of textured shapes"),
    "compare": ("compare", "compare predictions of models image by image"),
    "report": ("report", "report of a training in one HTML file"),
    "plot": ("plot", "draw the curves of trainings"),
    "browse": ("browse", "save pictures of what the network sees"),
    "alignment": ("alignment", "measure where feature maps of a backbone lie"),
    "heat-map": ("heat_map", "show where an ImageNet classifier sees a class"),
    "oracle": ("oracle", "the mean IU that a stride allows at best"),
    "data-speed": ("data_speed", "measure how fast a data pipeline is"),
    "patches": ("patches", "time one convolutional pass against patch by patch"),
    "benchmark": ("benchmark", "time, memory and compute of a network, in a clone of the repository"),
    "demo": ("demo", "train on drawn shapes for some minutes, and see what finer strides gain"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``fcn`` with its command line, by default that of the process."""
    complete(whole_parser)
    words = list(sys.argv[1:] if arguments is None else arguments)
    groups = {name.split()[0] for name in COMMANDS if " " in name}
    start = words[: 2 if words and words[0] in groups else 1]
    name = " ".join(takewhile(lambda word: not word.startswith("-"), start))
    rest = words[len(name.split()) :]
    if name in COMMANDS:
        return run(name, rest, prog=f"fcn {name}")
    parser = overview(name if name in groups else "")
    if name and name not in groups:
        others = [other for other in COMMANDS if other.startswith(f"{start[0]} ")]
        known = others or {other.split()[0] for other in COMMANDS}
        parser.error(f"there is no command {name!r}{nearest(name, known)}")
    parser.parse(rest)
    parser.error("give a command; --help lists them")


def overview(group: str = "") -> Parser:
    """The parser of ``fcn`` without a subcommand, or with the first word of some."""
    prog = f"fcn {group}".strip()
    listed = {name: text for name, (_, text) in COMMANDS.items() if name.startswith(group)}
    parser = Parser(
        prog,
        "Fully Convolutional Networks in MMSegmentation.",
        usage=f"{prog} COMMAND [options]",
        epilog="\n".join(["commands (each with --help):", *(f"  {name:14}  {text}" for name, text in listed.items())]),
        examples=[module_of(name).EXAMPLES[0] for name in list(listed)[:3]],
    )
    parser.add_argument("--version", action="version", version=f"fcn_plugin {version()}")
    return parser


def version() -> str:
    """The version of the package, which is not imported for it."""
    package = Path(find_spec("fcn_plugin").origin)
    return runpy.run_path(str(package.with_name("version.py")))["__version__"]


def module_of(name: str) -> ModuleType:
    """The module of a subcommand."""
    return importlib.import_module(f"fcn_plugin_cli.commands.{COMMANDS[name][0]}")


def load(name: str, prog: str | None = None, make: Callable[..., Parser] = Parser) -> tuple[ModuleType, Parser]:
    """The module of a subcommand, and its parser; ``prog`` is the name in its usage, by default the script's."""
    command = module_of(name)
    parser = make(prog=prog, description=command.__doc__, examples=command.EXAMPLES)
    command.add_arguments(parser)
    return command, parser


def whole_parser() -> Parser:
    """The parser of ``fcn`` with those of all subcommands in it."""
    parser = overview()
    places = {"": parser.add_subparsers()}
    for name in COMMANDS:
        *group, word = name.split()
        group = " ".join(group)
        if group not in places:
            places[group] = places[""].add_parser(group, prog=f"fcn {group}").add_subparsers()
        load(name, f"fcn {name}", partial(places[group].add_parser, word, help=COMMANDS[name][1]))
    return parser


def complete(make: Callable[[], Parser]) -> None:
    """Answer a shell that asks how a command line may go on: by argcomplete, if it is installed."""
    if "_ARGCOMPLETE" in os.environ:
        with suppress(ModuleNotFoundError):
            import argcomplete

            argcomplete.autocomplete(make())  # ends the process


def run(name: str, arguments: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Parse the arguments of a subcommand, by default those of the process, and run it.

    What the user did wrong is one line on stderr and exit code 1; an interruption (Ctrl-C) is exit code 130, and
    SIGTERM 143. In Python's development mode (``python -X dev``, ``PYTHONDEVMODE=1``) the traceback is shown in place
    of the line.
    """
    command, parser = load(name, prog)
    complete(lambda: parser)
    execute(command, parser, parser.parse(sys.argv[1:] if arguments is None else arguments))


def execute(command: ModuleType, parser: Parser, args: argparse.Namespace) -> None:
    """Run a subcommand with its parsed arguments, see :func:`run`."""
    try:
        from fcn_plugin.utils.signals import end_at_once, handled
        from fcn_plugin.weights.checkpoint import forbid_unsafe_loading

        forbid_unsafe_loading()
        with handled({signal.SIGTERM: end_at_once}):
            code = command.run(args)
    except argparse.ArgumentError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print(getattr(command, "INTERRUPTED", "Interrupted.").format(**vars(args)), file=sys.stderr)
        code = 130
    except Exception as error:
        wrong = None if sys.flags.dev_mode else what_is_wrong(command, error)
        if wrong is None:
            raise
        code = f"error: {wrong}"
    if code:
        sys.exit(code)


def what_is_wrong(command: ModuleType, error: Exception) -> str | None:
    """What the user did wrong, None where it was not the user: the traceback is shown then."""
    if type(error) is ImportError and error.name is None:
        return str(error)  # the package says what is to be installed
    from fcn_plugin.utils.building import arose_in_building, explain

    if not getattr(command, "is_user_error", is_user_error)(error):
        return None
    if isinstance(error, (ValueError, OSError)):
        return str(error)
    unforeseen = isinstance(error, (AttributeError, LookupError, TypeError)) and not arose_in_building(error)
    return explain(error) + " (PYTHONDEVMODE=1 shows where)" * unforeseen  # no check has words for these settings


def is_user_error(error: Exception) -> bool:
    """Whether an error tells of wrong input; a subcommand may have a function of this name to say otherwise."""
    from fcn_plugin.utils.building import arose_in_building

    return isinstance(error, (ValueError, OSError)) or arose_in_building(error)
