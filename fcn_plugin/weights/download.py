"""Where pretrained weights lie: a path, a URL, or a name in a model zoo; downloaded once, into PyTorch's cache."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from mmengine.runner.checkpoint import get_external_models, get_mmcls_models, get_torchvision_models

from .checkpoint import WeightsError

ZOOS = {
    "torchvision": get_torchvision_models,
    "open-mmlab": get_external_models,
    "openmmlab": get_external_models,
    "mmcls": get_mmcls_models,
}


def local_file(source: str) -> Path:
    """The file that a source means, downloaded if it is not here yet.

    Args:
        source (str): a path, ``http(s)://...``, ``torchvision://vgg16``, ``mmcls://vgg16_bn`` or
            ``open-mmlab://vgg16_caffe``. A file name that ends in the first digits of its SHA-256
            (``vgg16-397923af.pth``) is checked against them.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: for an unknown name, or a download that fails or is not the file that its name says.
    """
    url = resolve(source)
    if url is None:
        path = Path(source).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"there is no weight file {source}")
        return path
    folder = Path(torch.hub.get_dir(), "checkpoints")  # the toolbox's own downloads go there, too
    path = folder / Path(urlparse(url).path).name
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        digits = re.search(r"-([0-9a-f]{8,})\.\w+$", path.name)
        try:
            torch.hub.download_url_to_file(url, str(path), digits and digits[1])
        except (URLError, OSError, RuntimeError) as error:
            raise WeightsError(f"{source} could not be downloaded from {url}: {error}") from error
    return path


def resolve(source: str) -> str | None:
    """The URL that a source means, None for a path.

    Raises:
        WeightsError: for an unknown kind of source or an unknown name.
    """
    scheme, separator, name = source.partition("://")
    if not separator:
        return None
    if scheme in ("http", "https"):
        return source
    if scheme not in ZOOS:
        raise WeightsError(f"{source}: expected a path, http://, https:// or one of {', '.join(ZOOS)} with ://")
    try:
        models = ZOOS[scheme]()
    except ImportError as error:
        raise WeightsError(f"{source} needs {error.name}: install it, or give the file's URL") from error
    if name not in models:
        known = ", ".join(sorted(model for model in models if model.lower().startswith("vgg")))
        raise WeightsError(f"{scheme}:// has no model {name!r}; its VGGs: {known}")
    return models[name]
