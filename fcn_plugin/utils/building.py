"""What is wrong with a config of which the toolbox cannot build a component: in one line, with the nearest right name.

The toolbox builds all components in one function. What is being built is taken from its frame in the traceback, so that
this holds for any component, of anybody.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from types import FrameType

from mmengine.registry import Registry, build_from_cfg, build_runner_from_cfg

from .config import class_of
from .text import CERTAIN, first_line, nearest, summarize

#: What to install for a package that is missing, where that is not its own name.
PACKAGES = {
    "timm": '"fcn_plugin[timm]"',
    "mmpretrain": '"fcn_plugin[mmpretrain]"',
    "h5py": '"fcn_plugin[weights]"',
    "safetensors": '"fcn_plugin[weights]"',
    "tifffile": '"fcn_plugin[tiff]"',
    "google": '"fcn_plugin[weights]"',
    "onnx": '"fcn_plugin[export]"',
    "onnxscript": '"fcn_plugin[export]"',
    "onnxruntime": '"fcn_plugin[export]"',
    "cv2": "opencv-python",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
}
#: Errors that a component raises for settings that it cannot take.
BUILD_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def settings_of(kind: Callable) -> tuple[set[str], bool]:
    """The names of the settings that a class takes, its parents' included, and whether it may take others as well."""
    names: set[str] = set()
    for one in inspect.getmro(kind) if inspect.isclass(kind) else [kind]:
        call = vars(one).get("__init__") if inspect.isclass(one) else one
        if not inspect.isroutine(call) or one is object:
            continue
        try:
            parameters = inspect.signature(call).parameters.values()
        except ValueError:  # built in
            return names, True
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - {"self"}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names, one is not kind
    return names, True


def unknown_settings(kind: Callable, given: Iterable[str]) -> list[str]:
    """What is wrong with the names of settings for a class; of one that may take others, with those near to a known."""
    names, more = settings_of(kind)
    unknown = [name for name in given if name not in names]
    return [_unknown(kind, name, names) for name in unknown if not more or nearest(name, {*names, "type"}, CERTAIN)]


def _unknown(kind: Callable, name: str, names: Iterable[str]) -> str:
    near = nearest(name, {*names, "type"})
    return f"{kind.__name__} has no setting {name!r}{near or f'; it takes {summarize(sorted(names), 20)}'}"


def not_whole(settings: Mapping, where: str, least: int, *keys: str) -> Iterator[str]:
    """What is wrong with settings, those that are there, that must be whole numbers."""
    for key in keys:
        value = settings.get(key)
        if value is not None and (type(value) is not int or value < least):
            yield f"{where}.{key} must be a whole number, {least} or more, got {value!r}"


def unknown_type(name: str, registry: Registry) -> str:
    """What is wrong with a name that is not in a registry."""
    scope, _, inner = name.partition(".")
    if inner and not is_installed(scope):
        return f"{name!r} is not there: {missing_package(scope)}"
    known: set[str] = set()
    node: Registry | None = registry
    while node is not None:
        known.update(node.module_dict)
        node = node.parent
    return f"there is no {name!r} among the toolbox's {registry.name}s{nearest(name.split('.')[-1], known)}"


def wrong_settings(settings: object, where: str, registry: Registry, also: Iterable[str] = ()) -> Iterator[str]:
    """Whether there is the class of a component, and whether it takes settings of these names."""
    if not isinstance(settings, Mapping) or "type" not in settings:
        return
    name, kind = settings["type"], class_of(settings, registry)
    if not callable(kind):
        what = unknown_type(name, registry) if isinstance(name, str) else f"expected a name or a class, got {name!r}"
        yield f"{where}.type: {what}"
        return
    given = settings.keys() - {"type", "_scope_", *also}
    yield from (f"{where}: {text}" for text in unknown_settings(kind, sorted(given)))


def missing_package(name: str) -> str:
    """That a package is not installed, and how it gets here."""
    package = name.partition(".")[0]
    return f"the package {package} is not installed: run pip install {PACKAGES.get(package, package)}"


def is_installed(*packages: str) -> bool:
    """Whether one of some packages can be imported."""
    return any(find_spec(package) is not None for package in packages)


def arose_in(error: BaseException, *functions: Callable) -> bool:
    """Whether an error arose in the call of one of some functions."""
    codes = {inspect.unwrap(function).__code__ for function in functions}
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))


def arose_in_building(error: BaseException) -> bool:
    """Whether an error arose while a component was built from a config."""
    return _build_frame(error) is not None


def explain(error: BaseException, settings: Mapping | None = None, where: str = "") -> str:
    """An error that arose in building, in one line.

    Args:
        error (BaseException): as it was caught.
        settings (Mapping, optional): the part of the config that was being built.
        where (str): the keys that lead to that part.

    Returns:
        str: what is wrong, behind the keys that lead to the setting where that is known.
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        return missing_package(error.name)
    frame = _build_frame(error)
    if frame is None:
        return _reason(error)
    found = frame.f_locals
    kind, given, registry = found.get("obj_cls", found.get("runner_cls")), found.get("args"), found.get("registry")
    if isinstance(error, KeyError):
        named = [found.get("obj_type")] if kind is None else []
        if "Cannot find None" in str(error):  # by mmcv, of a layer
            named = [name for _, name in _places(settings, "type") if registry.get(name) is None]
        for name in named:
            return _located(unknown_type(name, registry), settings, where, "type", name)
    if isinstance(error, TypeError) and kind and "unexpected keyword argument" in str(error):
        names, _ = settings_of(kind)
        for name in (name for name in given if repr(name) in str(error) and name not in names):
            return _located(_unknown(kind, name, names), settings, where, name)
    what, reason = getattr(kind, "__name__", ""), _reason(error)
    return reason if not what or what in reason else f"{what}: {reason}"


def wrong_component(build: Callable[[], object], where: str, settings: Mapping, registry: Registry) -> Iterator[str]:
    """Whether a component can be built: first its names, then what its class says of the values."""
    wrong_names = list(wrong_settings(settings, where, registry))
    yield from wrong_names
    if not wrong_names:
        try:
            build()
        except BUILD_ERRORS as error:
            yield f"{where} cannot be built: {explain(error, settings, where)}"


def _reason(error: BaseException) -> str:
    """The first line of an error; of an assertion without text, what it asserts."""
    if isinstance(error, KeyError) and error.args:  # whose text is in quotes
        return str(error.args[0]).strip().split("\n")[0]
    if isinstance(error, AssertionError) and not str(error).strip():
        return f"it is expected that {traceback.extract_tb(error.__traceback__)[-1].line.removeprefix('assert ')}"
    return first_line(error)


def _located(text: str, settings: Mapping | None, where: str, key: str, value: object = None) -> str:
    """A text behind the keys that lead to a setting, where only one place has it."""
    places = [path for path, found in _places(settings, key) if value is None or found == value]
    path = ".".join(filter(None, [where, places[0] if len(places) == 1 else ""]))
    return f"{path}: {text}" if path else text


def _places(settings: object, key: str, path: str = "") -> Iterator[tuple[str, object]]:
    items: Iterable = ()
    if isinstance(settings, Mapping):
        items = settings.items()
    elif isinstance(settings, (list, tuple)):
        items = enumerate(settings)
    for name, value in items:
        inner = f"{path}.{name}" if path else str(name)
        if name == key:
            yield inner, value
        yield from _places(value, key, inner)


def _build_frame(error: BaseException) -> FrameType | None:
    """The innermost frame of the toolbox's functions that build a component or a runner."""
    functions = (build_from_cfg.__code__, build_runner_from_cfg.__code__)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code in functions]
    return frames[-1] if frames else None
