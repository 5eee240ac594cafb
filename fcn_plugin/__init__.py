"""Fully Convolutional Networks (Long, Shelhamer, Darrell) as a plugin for MMSegmentation.

Importing the package registers its components with the toolbox.
"""

try:
    import mmcv  # noqa: F401
    import mmengine  # noqa: F401
    import mmseg  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        f"fcn_plugin runs inside the MMSegmentation toolbox, of which {error.name.partition('.')[0]} is not installed:"
        ' run `pip install "fcn_plugin[toolbox]"`, or install mmsegmentation, mmcv and mmengine yourself'
    ) from error

from . import backbones, datasets, decode_heads, engine, losses, necks
from .paths import config_dir, tools_dir
from .version import __version__

__all__ = [
    "__version__",
    "backbones",
    "config_dir",
    "datasets",
    "decode_heads",
    "engine",
    "losses",
    "necks",
    "tools_dir",
]
