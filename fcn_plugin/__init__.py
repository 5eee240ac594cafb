"""Fully Convolutional Networks (Long, Shelhamer, Darrell) as a plugin for MMSegmentation.

Importing the package registers its components with the toolbox.
"""

import warnings

try:
    import mmcv
    import mmengine  # noqa: F401
    import mmseg  # noqa: F401
except ModuleNotFoundError as error:
    if error.name == "mmcv._ext":
        raise ImportError(
            "fcn_plugin needs mmcv with its compiled operators, which MMSegmentation imports, but mmcv-lite is installed:"
            " run `pip uninstall mmcv-lite`, then install mmcv for your torch (https://mmcv.readthedocs.io), or"
            ' `pip install "fcn_plugin[toolbox]"`'
        ) from error
    raise ImportError(
        f"fcn_plugin runs inside the MMSegmentation toolbox, of which {error.name.partition('.')[0]} is not installed:"
        ' run `pip install "fcn_plugin[toolbox]"`, or install mmsegmentation, mmcv and mmengine yourself'
    ) from error

with warnings.catch_warnings():
    # FCN needs none of mmcv's compiled operators, whose absence this module reports
    warnings.filterwarnings("ignore", message="Fail to import ``MultiScaleDeformableAttention``")
    import mmcv.cnn.bricks.transformer  # noqa: F401

from . import datasets, engine, evaluation, models, paper, registry
from .paths import config_dir, tools_dir
from .version import __version__
from .weights import toolbox_loading  # noqa: F401  safe loading in the toolbox's own calls

__all__ = [
    "__version__",
    "config_dir",
    "datasets",
    "engine",
    "evaluation",
    "models",
    "paper",
    "registry",
    "tools_dir",
]
