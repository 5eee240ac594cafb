"""Importing the package: it registers components and loaders of weights, and changes nothing else.

Its rooms import one way.
"""

import ast
import graphlib
import json
import sys
from pathlib import Path

import pytest
from testing.utils import ROOT, run

PACKAGE, COMMAND = ROOT / "fcn_plugin", ROOT / "fcn_plugin_cli"
#: From low to high; a room imports from lower ones and its own floor. The command is one room.
FLOORS = (
    ("version", "paths", "utils", "registry"),
    ("structures", "geometry", "weights"),
    ("models",),
    ("datasets", "evaluation"),
    ("checks",),
    ("engine",),
    ("visualization", "paper"),
    ("apis",),
    ("fcn_plugin_cli", "__main__"),
)

#: Imports the toolbox, then the package, and writes what that changed, by what it is of.
SCRIPT = """
import json, logging, os, random, sys, warnings
import mmcv, mmengine, mmengine.hub, mmengine.runner, mmseg, numpy, torch
import mmseg.apis, mmseg.datasets, mmseg.engine, mmseg.evaluation, mmseg.models, mmseg.utils, mmseg.visualization
from mmengine.registry import WEIGHT_INITIALIZERS, DefaultScope
from mmengine.runner import CheckpointLoader, Runner
from mmseg.models import EncoderDecoder
from mmseg.models.decode_heads.decode_head import BaseDecodeHead

PATCHABLE = (torch, torch.nn.functional, torch.nn.Module, Runner, CheckpointLoader, mmengine.Config, mmengine.Registry)
PATCHABLE += (BaseDecodeHead, EncoderDecoder)


def state():
    return {
        "safe globals": sorted(map(repr, getattr(torch.serialization, "get_safe_globals", list)())),
        "environment": dict(os.environ),
        "warning filters": list(map(repr, warnings.filters)),
        "initializers": {key: kind.__name__ for key, kind in WEIGHT_INITIALIZERS.module_dict.items()},
        "schemes of checkpoints": {key: repr(value) for key, value in CheckpointLoader._schemes.items()},
        "number formats": [str(torch.get_default_dtype()), torch.get_float32_matmul_precision()]
        + list(map(str, autocast_dtypes())),
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "cudnn": [torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic],
        "gradients": [torch.is_grad_enabled(), torch.is_anomaly_enabled()],
        "random states": [repr(random.getstate()), repr(numpy.random.get_state()), torch.get_rng_state().tolist()],
        "default scope": repr(DefaultScope.get_current_instance()),
        "logging": [logging.root.level, list(map(repr, logging.root.handlers))],
        "hooks of all modules": [len(torch.nn.modules.module._global_forward_pre_hooks)]
        + [len(torch.nn.modules.module._global_forward_hooks)],
        "patched": {f"{owner.__name__}.{name}": id(value) for owner in PATCHABLE
                    for name, value in vars(owner).items() if callable(value)},
        "working directory": [os.getcwd(), os.listdir()],
    }


def autocast_dtypes():
    if hasattr(torch, "get_autocast_dtype"):
        return [torch.get_autocast_dtype(device) for device in ("cpu", "cuda")]
    return [torch.get_autocast_cpu_dtype(), torch.get_autocast_gpu_dtype()]  # before 2.4


def registered():
    return {registry: [name for name in names if vars(mmseg.registry)[registry].get(name)]
            for registry, names in expected.items()}


expected = json.loads(sys.argv[3])
registered_before = registered()
before = state()
output = open(sys.argv[2], "w+")
sys.stdout.flush(), sys.stderr.flush()
os.dup2(output.fileno(), 1), os.dup2(output.fileno(), 2)
import fcn_plugin
sys.stdout.flush(), sys.stderr.flush()
after = state()
changes = {kind: [value, after[kind]] for kind, value in before.items() if after[kind] != value}
with open(sys.argv[1], "w") as file:
    json.dump(dict(changes=changes, before=registered_before, after=registered(), file=fcn_plugin.__file__), file)
"""


def component_names() -> dict[str, list[str]]:
    """Classes in the sources that are decorated with ``REGISTRY.register_module()``, by registry.

    Those that replace one of the toolbox are left out.
    """
    found: dict[str, list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            for decorator in getattr(node, "decorator_list", ()):
                function = getattr(decorator, "func", None)
                replaces = any(keyword.arg == "force" for keyword in getattr(decorator, "keywords", ()))
                if isinstance(function, ast.Attribute) and function.attr == "register_module" and not replaces:
                    found.setdefault(function.value.id, []).append(node.name)
    return found


def test_importing_registers_and_changes_nothing_else(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    names = component_names()
    assert sum(map(len, names.values())) >= 20 and "FCNVGG" in names["MODELS"]
    files = tmp_path / "result.json", tmp_path / "output.txt"
    run(sys.executable, "-c", SCRIPT, *files, json.dumps(names), cwd=folder).check()
    result, output = json.loads(files[0].read_text()), files[1].read_text()
    assert Path(result["file"]).parent == PACKAGE
    assert result["before"] == {registry: [] for registry in names} and result["after"] == names
    before, after = result["changes"].pop("schemes of checkpoints")
    initializers, replaced = result["changes"].pop("initializers")
    assert result["changes"] == {} and replaced == {**initializers, "Pretrained": "BandsPretrainedInit"}
    changed = {scheme: loader for scheme, loader in after.items() if before.get(scheme) != loader}
    assert before.keys() == after.keys() and changed.keys() == {"", "http://", "https://"}
    assert {loader.split()[1] for loader in changed.values()} == {"load_from_local", "load_from_http"}
    assert output == ""


def test_the_toolbox_is_silent_while_it_is_imported(tmp_path):
    """Where the toolbox is imported first by the package: what it says meanwhile, and no later message."""
    lines = [
        "import sys, warnings",
        "import fcn_plugin",
        "print('imported', file=sys.stderr)",
        "warnings.warn('Fail to import ``MultiScaleDeformableAttention`` once more')",
    ]
    outcome = run(sys.executable, "-c", "\n".join(lines), cwd=tmp_path).check()
    before, _, after = outcome.stderr.partition("imported\n")
    assert (outcome.stdout, before) == ("", "")
    assert "MultiScaleDeformableAttention`` once more" in after


def imports(source: str, package: str, modules: set[str]) -> set[str]:
    """Modules of the package that a source imports anywhere but under ``TYPE_CHECKING``.

    Args:
        source (str): text of a module.
        package (str): dotted name of the package it is in.
        modules (set[str]): dotted names of all modules; a name that is none is something inside a module.
    """
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING":
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = parents[: len(parents) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            found.update(full if (full := f"{name}.{alias.name}") in modules else name for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(source))
    return found & modules


def import_graph() -> dict[str, set[str]]:
    """The modules of the package, without its own ``__init__``, and of the command, and what they import of them."""
    files = {}
    for file in [*PACKAGE.rglob("*.py"), *COMMAND.rglob("*.py")]:
        parts = file.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    del files[PACKAGE.name]
    graph = {}
    for name, file in files.items():
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        graph[name] = imports(file.read_text(), package, set(files))
    return graph


def room_of(module: str) -> str:
    package, *inside = module.split(".")
    return inside[0] if package == PACKAGE.name else package


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The nodes of a circle, if there is one."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1][::-1]
    return []


@pytest.mark.parametrize(
    "statement, expected",
    [
        ("from ..b import y", {"p.b.y"}),
        ("from ..b import Y", {"p.b"}),
        ("from ..b.y import Y", {"p.b.y"}),
        ("from . import x", {"p.a.x"}),
        ("from .. import b, c", {"p.b", "p.c"}),
        ("import p.b.y, numpy", {"p.b.y"}),
        ("from p import c", {"p.c"}),
        ("def f():\n    if 1:\n        from ..c import C", {"p.c"}),
        ("if TYPE_CHECKING:\n    from ..b import Y\nelse:\n    from ..c import C", {"p.c"}),
        ("if typing.TYPE_CHECKING:\n    from ..b import Y", set()),
        ("from .. import VERSION", set()),
    ],
)
def test_reading_imports(statement, expected):
    assert imports(statement, "p.a", {"p.a", "p.a.x", "p.b", "p.b.y", "p.c"}) == expected


def test_finding_circles():
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == {"b", "c"}


def test_imports_point_downwards():
    """No module imports from a higher floor, and each room is on one."""
    floors = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    graph = import_graph()
    assert {room_of(module) for module in graph} <= floors.keys()
    arrows = [(module, target) for module, targets in graph.items() for target in targets]
    assert sum(room_of(module) != room_of(target) for module, target in arrows) > 50
    upwards = [
        f"{module} imports {target}"
        for module, target in sorted(arrows)
        if floors[room_of(module)] < floors[room_of(target)]
    ]
    assert not upwards


def test_no_circles():
    """Neither of modules nor of rooms."""
    graph = import_graph()
    assert circle(graph) == []
    rooms: dict[str, set[str]] = {}
    for module, targets in graph.items():
        rooms.setdefault(room_of(module), set()).update(set(map(room_of, targets)) - {room_of(module)})
    assert len(rooms) > 10 and circle(rooms) == []
