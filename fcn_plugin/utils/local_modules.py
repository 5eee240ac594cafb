"""Modules of the user's that lie beside a config."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmengine.config import Config


def find_modules_in(folder: Path) -> None:
    """Let Python look for modules in a folder, behind all others; worker processes do as this one."""
    if (place := str(folder.resolve())) not in sys.path:
        sys.path.append(place)


def note_import_dirs(cfg: Config, folder: Path) -> None:
    """Find the modules that a config names beside it, or beside the configs that it inherits from.

    The folders that have any are noted as ``cfg.import_dirs``: the copies of a config that a run leaves lie elsewhere.

    Args:
        cfg (Config): as read, before it imports anything; changed in place.
        folder (Path): of its file.
    """
    texts = [Path(line) for line in cfg.text.splitlines() if line.endswith((".py", ".json", ".yaml", ".yml"))]
    bases = [file.parent for file in texts if file.is_absolute() and file.is_file()]  # each text follows its path
    modules = {name.partition(".")[0] for name in (*_types(cfg.to_dict()), *_imports(cfg))}
    places = [place for name in modules for place in (f"{name}.py", f"{name}/__init__.py")]
    folders = [Path(one).resolve() for one in (*(cfg.get("import_dirs") or ()), folder, *bases)]
    found = [one for one in dict.fromkeys(folders) if any(Path(one, place).is_file() for place in places)]
    for one in found:
        find_modules_in(one)
    if found:
        cfg.import_dirs = list(map(str, found))


def _imports(cfg: Config) -> list[str]:
    settings = cfg.get("custom_imports")
    names = settings.get("imports") if isinstance(settings, Mapping) else None
    names = [names] if isinstance(names, str) else names
    return [name for name in names if isinstance(name, str)] if isinstance(names, (list, tuple)) else []


def _types(settings: object) -> Iterator[str]:
    """The types in a config that are given with their modules."""
    if isinstance(settings, Mapping):
        if isinstance(kind := settings.get("type"), str) and "." in kind:
            yield kind
        settings = list(settings.values())
    for one in settings if isinstance(settings, (list, tuple)) else ():
        yield from _types(one)
