"""Reading configs."""

from __future__ import annotations

import copy
import inspect
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.config.config import BASE_KEY
from mmengine.hooks import Hook
from mmengine.registry import Registry
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.utils import import_modules_from_strings
from mmseg.registry import HOOKS, LOOPS

from .local_modules import find_modules_in, note_import_dirs
from .text import CERTAIN, nearest

DATALOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")
#: Keys that say where and how a run is started, not what it does.
START_KEYS = ("work_dir", "launcher", "resume", "load_from", "earlier_stage", "runner_type", "accept_changes")
START_KEYS += ("import_dirs",)
#: Keys that this package reads itself.
OWN_KEYS = ("compile", "data_check", "data_help", "precision", "show_dir")
#: Keys that somebody reads, also those of the toolbox's tools.
KNOWN_KEYS = frozenset(
    (*inspect.signature(Runner).parameters, *START_KEYS, *OWN_KEYS, "custom_imports", "tta_model", "tta_pipeline")
)
ABSENT = object()
Change = tuple[tuple, Any]  # the keys and indices that lead to a setting, and its new value


def read_config(path: str, options: Mapping | None = None, data_root: str | None = None) -> Config:
    """Read a config file.

    Modules beside it, or beside a config that it inherits from, are found as if they were installed, also by worker
    processes. Where they are is noted as ``import_dirs``, for the copies of the config that a run leaves elsewhere.

    Args:
        path (str): of the file.
        options (Mapping, optional): settings to override, as from ``--cfg-options``.
        data_root (str, optional): root of the data of all dataloaders, in place of the config's.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, imports a package that is not installed, or has no place for an option.
    """
    if not Path(path).is_file():
        is_directory = ", but a directory: give a file" if Path(path).is_dir() else ""
        raise FileNotFoundError(f"there is no config {path}{is_directory}")
    try:
        find_modules_in(Path(path).parent)  # already what its text imports
        cfg = Config.fromfile(path, import_custom_modules=False)
        for name in [key for key, value in dict.items(cfg._cfg_dict) if isinstance(value, FunctionType)]:
            cfg.pop(name)  # as of a text; the toolbox's copy of pure Python that defines one could not be read
        note_import_dirs(cfg, Path(path).parent)
        if (imports := cfg.get("custom_imports")) is not None:
            if not isinstance(imports, Mapping) or "imports" not in imports:
                raise ValueError(f"custom_imports must be dict(imports=[...]), got {imports!r}")
            import_modules_from_strings(**imports)
    except SyntaxError as error:
        raise ValueError(f"the config {path} is not valid Python: {error}") from error
    except ImportError as error:
        cause = error.__cause__ or error
        remedy = "install it, or put it beside the config or on PYTHONPATH"
        raise ValueError(f"the config {path} imports what is not installed ({cause}): {remedy}") from error
    except Exception as error:  # a config is a program
        raise ValueError(f"the config {path} cannot be read{_line_of(error)}: {_reason(error)}") from error
    override(cfg, options or {})
    if data_root:
        set_data_root(cfg, data_root)
    return cfg


def require(cfg: Config, key: str) -> None:
    """Raise ValueError if a config lacks what makes it one of an experiment."""
    if cfg.get(key) is None:
        raise ValueError(f"{cfg.filename} has no {key}: give the config of an experiment")


def override(cfg: Config, options: Mapping) -> None:
    """Change settings by the dotted keys of ``--cfg-options``, of which each must have a place in the config.

    What an option adds to the settings of a component is left to its class.

    Raises:
        ValueError: naming the option, and the nearest name that there is.
    """
    _check_places(cfg.to_dict(), options)
    try:
        cfg.merge_from_dict(options)
    except (AttributeError, LookupError, TypeError) as error:
        raise ValueError(f"--cfg-options do not go with the config {cfg.filename}: {_reason(error)}") from error


def _check_places(everything: Mapping, options: Mapping) -> None:
    for option, value in options.items():
        keys, place, known = option.split("."), everything, {*everything, *KNOWN_KEYS}
        for depth, key in enumerate(keys):
            if isinstance(place, (list, tuple)):
                if not key.isdigit() or int(key) >= len(place):
                    raise ValueError(f"--cfg-options {option}: {'.'.join(keys[:depth])} is a list of {len(place)}")
                if not isinstance(place[int(key)], (Mapping, list, tuple)):
                    what = f"{'.'.join(keys[:depth])} is a list of {len(place)} that is set as a whole"
                    raise ValueError(f"--cfg-options {option}: {what}")
                place = place[int(key)]
                continue
            if not isinstance(place, Mapping):
                raise ValueError(
                    f"--cfg-options {option}: {'.'.join(keys[:depth])} is {place!r}, which has no settings"
                )
            if key not in place:
                wrong = place is everything or ("type" not in place and nearest(key, known, CERTAIN))
                if key not in known and wrong:
                    raise ValueError(f"--cfg-options {option}: the config has no {key}{nearest(key, known)}")
                break
            place = place[key]
            known = set(place) if isinstance(place, Mapping) else set()
        else:
            if isinstance(place, Mapping) and not isinstance(value, Mapping) and value is not None:
                raise ValueError(f"--cfg-options {option}={value}: it is a dict in the config: set a key of it")
            if _has_components(place) and value and not _has_components(value):
                raise ValueError(f"--cfg-options {option}={value}: it is a list of dicts in the config: set one's key")


def _has_components(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _line_of(error: Exception) -> str:
    """Where in a config an error arose, if it did."""
    frames = [(f, line) for f, line in traceback.walk_tb(error.__traceback__) if BASE_KEY in f.f_globals]
    return f", line {frames[-1][1]} of {Path(frames[-1][0].f_code.co_filename).name}" if frames else ""


def _reason(error: Exception) -> str:
    """The kind of an error and its first line, without the quotes of a KeyError."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error).strip()
    return f"{type(error).__name__}: {text}".splitlines()[0]


def changed_settings(cfg: Config) -> list[Change]:
    """The settings in which a config differs from its own file: what a command line has changed.

    A tool hands on a merged config alone. What it was given as ``--cfg-options`` is found by reading the file again,
    and can be given to other configs by :func:`apply_settings`. A value that the file has already is no change.

    Args:
        cfg (Config): with ``filename``; without, nothing is known to be changed.

    Returns:
        list[Change]: the smallest parts that differ; a dict that has lost keys as a whole. :data:`START_KEYS` are left
        out.

    Raises:
        FileNotFoundError, ValueError: as :func:`read_config`.
    """
    if not cfg.filename:
        return []
    file, now = read_config(cfg.filename).to_dict(), cfg.to_dict()
    return [change for key in now.keys() - set(START_KEYS) for change in _changes(file.get(key, ABSENT), now[key], key)]


def _changes(old: Any, new: Any, *path: str | int) -> Iterator[Change]:
    if isinstance(new, dict) and isinstance(old, dict) and old.keys() <= new.keys():
        keys: Iterable = new
    elif isinstance(new, list) and isinstance(old, list) and len(old) == len(new):
        keys = range(len(new))
    else:
        if type(old) is not type(new) or old != new:
            yield path, new
        return
    for key in keys:
        before = old.get(key, ABSENT) if isinstance(old, dict) else old[key]
        yield from _changes(before, new[key], *path, key)


def apply_settings(cfg: Config, changes: Iterable[Change]) -> None:
    """Change settings of a config.

    Raises:
        ValueError: naming a setting for which the config has no place.
    """
    for path, value in changes:
        target = cfg
        try:
            for key in path[:-1]:
                target = target.setdefault(key, ConfigDict()) if isinstance(key, str) else target[key]
            target[path[-1]] = ConfigDict(value=copy.deepcopy(value)).value
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            setting = ".".join(map(str, path))
            raise ValueError(f"{cfg.filename} has no {setting} to set to {value!r}: set it in the file") from error


def class_of(cfg: Mapping, registry: Registry) -> type | None:
    """The class that a component's config names, with or without scope, or gives itself; None if there is none."""
    kind = cfg.get("type")
    return registry.get(kind) if isinstance(kind, str) else kind


def counts_epochs(cfg: Mapping) -> bool:
    """Whether a config trains in epochs, by an EpochBasedTrainLoop, not in iterations."""
    loop = cfg.get("train_cfg") or {}
    kind = class_of(loop, LOOPS)
    return issubclass(kind, EpochBasedTrainLoop) if isinstance(kind, type) else bool(loop.get("by_epoch"))


def configured_hooks(cfg: Mapping, kind: type[Hook]) -> list[Any]:
    """The hooks of a class in a config's ``default_hooks`` and ``custom_hooks``: their settings, or themselves."""
    hooks = [*(cfg.get("default_hooks") or {}).values(), *(cfg.get("custom_hooks") or [])]
    classes = [(hook, class_of(hook, HOOKS) if isinstance(hook, Mapping) else type(hook)) for hook in hooks if hook]
    return [hook for hook, named in classes if isinstance(named, type) and issubclass(named, kind)]


def leaf_datasets(dataset: Mapping | None) -> Iterator[ConfigDict]:
    """The datasets inside the toolbox's wrappers, such as ConcatDataset and RepeatDataset, or the dataset itself.

    Args:
        dataset (Mapping, optional): config of a dataset, or of a dataloader; nothing is found in None, or in what is
            no config, such as a name.
    """
    if not dataset or not isinstance(dataset, Mapping):
        return
    inner = dataset.get("datasets") or ([dataset["dataset"]] if "dataset" in dataset else [])
    for part in inner:
        yield from leaf_datasets(part)
    if not inner:
        yield dataset


def set_data_root(cfg: Config, data_root: str) -> None:
    """Read the data of all dataloaders from another root."""
    for name in DATALOADERS:
        for dataset in leaf_datasets(cfg.get(name)):
            dataset.data_root = data_root
