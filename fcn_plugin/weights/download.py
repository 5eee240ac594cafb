"""Where pretrained weights lie: a path, a URL, or a name in a model zoo; downloaded once, into PyTorch's cache."""

from __future__ import annotations

import logging
import re
import shutil
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch
from mmengine.dist import barrier, get_rank
from mmengine.logging import print_log
from mmengine.runner.checkpoint import get_external_models, get_mmcls_models, get_torchvision_models
from rich.progress import wrap_file

from ..utils.files import atomic_write, file_digest
from .errors import WeightsError

TIMEOUT = 60  #: seconds without a byte
#: SHA-1 of files that are published under addresses without encryption, by name.
#: Source: ``models/NAME/readme.md`` of Caffe.
PUBLISHED = {
    "bvlc_reference_caffenet.caffemodel": "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46",
    "bvlc_googlenet.caffemodel": "405fc5acd08a3bb12de8ee5e23a96bec22f08204",
}
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
            (``vgg16-397923af.pth``) is checked against them, one of :data:`PUBLISHED` against its SHA-1.

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
        try:
            with atomic_write(path) as partial:
                _download(url, partial)
                _check(partial, path.name, url)
        except (OSError, HTTPException, ValueError) as error:
            raise WeightsError(f"{source} could not be downloaded from {url}: {error}") from error
    return path


def local_file_of_all(source: str) -> Path:
    """As :func:`local_file`, called by all processes of a training; the first downloads, the others wait for it."""
    try:
        if get_rank() == 0:
            local_file(source)
    finally:  # of a failed download the other processes report the error, too
        barrier()
    return local_file(source)


def _download(url: str, path: Path) -> None:
    """Write what a server sends; raises ConnectionError if that is less than it announced."""
    with urlopen(Request(url, headers={"User-Agent": "fcn_plugin"}), timeout=TIMEOUT) as response:
        size = response.length
        with path.open("wb") as file, wrap_file(response, size or 0, description=url, transient=True) as reader:
            shutil.copyfileobj(reader, file, 1 << 20)
    if size not in (None, received := path.stat().st_size):
        raise ConnectionError(f"the connection broke off after {received:,} of {size:,} bytes: try again")


def _check(path: Path, name: str, url: str) -> None:
    """Check a download against what is known of it; raises ValueError if it is another file."""
    digits = re.search(r"-([0-9a-f]{8,})\.\w+$", name)
    if name in PUBLISHED:
        kind, expected = "sha1", PUBLISHED[name]
    elif digits:
        kind, expected = "sha256", digits[1]
    else:
        if url.startswith("http://"):
            print_log(
                f"{url} came over a connection that others can change, and its checksum is not known here",
                logger="current",
                level=logging.WARNING,
            )
        return
    if not (digest := file_digest(path, kind)).startswith(expected):
        raise ValueError(f"its {kind} hash is {digest}, expected {expected}: it is damaged or another file")


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
