"""How the toolbox's own calls read weights, once this package is imported: nothing of a file is run.

That is so for files and URLs that are given to ``mmengine.runner.load_checkpoint``, ``mmseg.apis.init_model``,
``MMSegInferencer``, a plain ``Runner``, or the ``init_cfg`` of any model. By itself, the toolbox runs what a pickle
says if it cannot be loaded safely, and a config that is in the file if it is given none. What it does with other
addresses (``torchvision://``, ``s3://``) is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.runner import CheckpointLoader

from ..paths import config_dir
from .checkpoint import load_safely, without_config
from .download import local_file_of_all
from .errors import WeightsError
from .importing import import_weights, is_of_other_frameworks

#: What the metafiles say of a model of which there are no weights to download: ``unpublished://NAME``.
UNPUBLISHED = "unpublished"
#: What the toolbox runs in place of a file's config.
INSTEAD_OF_CONFIG = (
    "raise ValueError('weights were given without a config; the one inside of their file is a program, which is not"
    " run: give the config as well, as in MMSegInferencer(model=CONFIG, weights=FILE)')"
)


@CheckpointLoader.register_scheme(prefixes="", force=True)
def load_from_local(filename: str, map_location: str | torch.device | Callable | None = None) -> object:
    """Read a file in place of the toolbox's function of this name; those of Caffe and Keras, too, by our names.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: if it is damaged, or holds other than plain data; for a model whose weights are not published.
    """
    scheme, _, name = filename.partition("://")
    if scheme == UNPUBLISHED:
        raise WeightsError(
            f"no weights of {name} are published: train them with `fcn train {config_dir() / name}.py`, and give the"
            f" checkpoint, as in MMSegInferencer({name!r}, weights=FILE, scope='fcn_plugin')"
        )
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{filename} can not be found.")  # in the toolbox's words
    if is_of_other_frameworks(path):
        return import_weights(path)
    checkpoint = load_safely(path, map_location)
    if not isinstance(checkpoint, dict):
        return checkpoint
    kept = without_config(checkpoint)
    if "meta" in kept and len(kept["meta"]) < len(checkpoint["meta"]):
        kept["meta"]["cfg"] = INSTEAD_OF_CONFIG
    return kept


@CheckpointLoader.register_scheme(prefixes=("http://", "https://"), force=True)
def load_from_http(filename: str, map_location: str | torch.device | Callable | None = None) -> object:
    """Download a file to where the toolbox would, and read it.

    Raises:
        WeightsError: as :func:`load_from_local`, or if it cannot be downloaded.
    """
    return load_from_local(str(local_file_of_all(filename)), map_location)
