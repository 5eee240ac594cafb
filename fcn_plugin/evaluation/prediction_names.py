"""The names of the files that predictions of a data set are written to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from mmseg.datasets import BaseSegDataset


def prediction_names(*datasets: Any) -> dict[str, str]:
    """Name the predictions of data sets after their images.

    A name has no suffix, and keeps the folders below the data set's ``data_prefix.img_path``, as in ``city/street``. An
    image that is elsewhere (an absolute path in a list) has none.

    Args:
        *datasets (Dataset): built ones, also with the toolbox's wrappers around them. Those that are no BaseSegDataset,
            whose images are not known, are left out.

    Returns:
        dict[str, str]: by the path of the image.

    Raises:
        ValueError: if predictions of two images would have the same name.
    """
    names: dict[str, str] = {}
    images: dict[str, str] = {}
    for dataset in (leaf for one in datasets for leaf in leaves_of(one)):
        root = dataset.data_prefix.get("img_path") or ""
        for index in range(len(dataset)):
            path = dataset.get_data_info(index)["img_path"]
            name = names.setdefault(path, _name(path, root))
            if (other := images.setdefault(name, path)) != path:
                raise ValueError(
                    f"the predictions of {other} and {path} would overwrite each other ({name}): test them apart, with"
                    " different directories for the predictions"
                )
    return names


def name_of(path: str, names: dict[str, str]) -> str:
    """The name of a prediction, also of an image that :func:`prediction_names` does not know."""
    return names.get(path) or _name(path, os.path.dirname(path))


def _name(path: str, root: str) -> str:
    inside = os.path.relpath(os.path.splitext(path)[0], root or os.curdir)
    return os.path.basename(inside) if inside.startswith(os.pardir) else inside.replace(os.sep, "/")


def leaves_of(dataset: Any) -> Iterator[BaseSegDataset]:
    """The built data sets inside the toolbox's wrappers, or the data set itself; those of other kinds are left out."""
    inner = getattr(dataset, "datasets", None) or [one for one in (getattr(dataset, "dataset", None),) if one]
    for one in inner:
        yield from leaves_of(one)
    if not inner and isinstance(dataset, BaseSegDataset):
        yield dataset
