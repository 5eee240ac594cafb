"""That pipelines load images and labels, from storages that there are."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mmengine import fileio
from mmseg.datasets import BaseSegDataset

from ..utils.images import is_remote
from ..utils.text import first_line
from .loaders import LabelLoader, backends_of, find_loaders, kind_of, loaders_of, reads_local_files
from .parts import Part, build_steps


def check_loading(part: Part, samples: Sequence[dict], labelled: bool) -> None:
    """Check that a pipeline loads images and, where they are needed, labels.

    Args:
        part (Part): the data set.
        samples (Sequence[dict]): its ``data_list``.
        labelled (bool): whether labels are needed.

    Raises:
        ValueError: naming the data set, and the step to add.
    """
    steps = build_steps(part)
    elsewhere = not all(map(reads_local_files, steps))
    tried = [sample for sample in samples[:50] if elsewhere or _files_are_there(sample)][:5]
    loaders, failure = find_loaders(steps, tried)
    kinds = {kind_of(loader) for loader in loaders}
    if any(isinstance(loader, LabelLoader) for loader in loaders):
        kinds.add("img")  # it may load both
    needed = [("img", "images", "LoadImageFromFile"), *([("gt_seg_map", "labels", "LoadLabels")] if labelled else [])]
    for kind, what, step in needed if tried else []:
        if kind not in kinds:
            raise ValueError(
                f"the pipeline of {part.name} fails on {failure}"
                if failure
                else f"no step of the pipeline of {part.name} loads {what}: add dict(type='{step}')"
            )


def _files_are_there(sample: dict) -> bool:
    paths = (sample["img_path"], sample.get("seg_map_path"))
    return all(path is None or is_remote(path) or os.path.exists(path) for path in paths)


def check_backends(part: Part, dataset: BaseSegDataset) -> None:
    """Check that the storages exist from which a data set and its pipeline read.

    Raises:
        ValueError: naming a storage that is not known, that lacks a package, or that is given wrong arguments.
    """
    prefixes = [prefix for prefix in dataset.data_prefix.values() if is_remote(prefix)]
    loaders = loaders_of(build_steps(part))
    wanted = [(thing, args, "") for thing in (dataset, *loaders) for args in backends_of(thing)]
    if not wanted:
        wanted = [(dataset, {}, prefix) for prefix in prefixes]
    for thing, args, prefix in wanted:
        what = f"{type(thing).__name__} of {part.name} reads from {args or prefix}"
        try:
            _open(thing, args, prefix or next(iter(prefixes), ""))
        except KeyError as error:
            known = ", ".join(sorted(fileio.backends.backends))
            raise ValueError(f"{what}: there is no backend {error}, there are {known}") from error
        except ImportError as error:
            raise ValueError(f"{what}, which needs a package: {first_line(error)}") from error
        except (TypeError, ValueError) as error:
            raise ValueError(f"{what}: {first_line(error)}") from error


def _open(thing: object, args: dict, path: str) -> None:
    """Make the storage, which reads nothing yet."""
    if args and getattr(thing, "file_client_args", None) == args:
        client = fileio.FileClient(**args).client
    else:
        client = fileio.get_file_backend(path, backend_args=args)
    database = getattr(client, "db_path", None)
    if database is not None and not os.path.exists(database):
        raise ValueError(f"there is no database {database}")
