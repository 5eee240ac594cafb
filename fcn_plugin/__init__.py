"""Fully Convolutional Networks (Long, Shelhamer, Darrell) as a plugin for MMSegmentation.

Importing the package registers its components with the toolbox.
"""

import io
import warnings
from contextlib import redirect_stdout

try:
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        # FCN needs none of mmcv's compiled operators, whose absence this module reports
        warnings.filterwarnings("ignore", message="Fail to import ``MultiScaleDeformableAttention``")
        import mmcv.cnn.bricks.transformer  # noqa: F401
        import mmengine  # noqa: F401
        import mmseg.datasets  # some versions print which of their optional packages are not there
        import mmseg.models  # noqa: F401
except ImportError as error:
    if error.name == "mmcv._ext":
        raise ImportError(
            f"MMSegmentation needs mmcv's compiled operators, which cannot be loaded ({error}): mmcv-lite has none, and"
            " those of another torch do not fit. Run `pip uninstall mmcv mmcv-lite`, and install the mmcv that is built"
            ' for this torch, or run `pip install "fcn_plugin[toolbox]"`'
        ) from error
    if not isinstance(error, ModuleNotFoundError):
        raise
    raise ImportError(
        f"fcn_plugin runs inside the MMSegmentation toolbox, of which {error.name.partition('.')[0]} is not installed:"
        ' run `pip install "fcn_plugin[toolbox]"`, or install mmsegmentation, mmcv and mmengine yourself'
    ) from error
except RuntimeError as error:
    if "torchvision" not in str(error):
        raise
    raise ImportError(
        f"torchvision, which the toolbox imports, does not fit the installed torch ({error}): install the version that"
        " belongs to it, or run `pip uninstall torchvision`"
    ) from error

from . import datasets, engine, evaluation, models, paper, registry
from .paths import config_dir, tools_dir
from .version import __version__
from .weights import pretrained_init, toolbox_loading  # noqa: F401  in the toolbox's own calls

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
