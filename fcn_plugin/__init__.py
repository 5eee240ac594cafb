"""Fully Convolutional Networks (Long, Shelhamer, Darrell) as a plugin for MMSegmentation.

Importing the package registers its components with the toolbox.
"""

import io
import warnings
from contextlib import redirect_stdout

try:
    import mmcv
    import mmengine  # noqa: F401
    import mmseg
except ModuleNotFoundError as error:
    raise ImportError(
        f"fcn_plugin runs inside the MMSegmentation toolbox, of which {error.name.partition('.')[0]} is not installed:"
        ' run `pip install "fcn_plugin[toolbox]"`, or install mmsegmentation, mmcv and mmengine yourself'
    ) from error

with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
    # FCN needs none of mmcv's compiled operators, whose absence this module reports
    warnings.filterwarnings("ignore", message="Fail to import ``MultiScaleDeformableAttention``")
    import mmcv.cnn.bricks.transformer  # noqa: F401
    import mmseg.datasets  # noqa: F401  some versions print which of their optional packages are not there

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
