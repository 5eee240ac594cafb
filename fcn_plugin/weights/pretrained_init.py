"""The toolbox's ``init_cfg=dict(type='Pretrained', ...)``, which adapts weights of three bands to other bands."""

from __future__ import annotations

from mmengine.model import PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import nn

from .first_convolution import fitting_bands


@WEIGHT_INITIALIZERS.register_module(name="Pretrained", force=True)
class BandsPretrainedInit(PretrainedInit):
    """Initialise a network by a file; its first convolution may take other bands than those of the file.

    The toolbox's own leaves such a convolution at random, with a warning among others.
    """

    def __call__(self, module: nn.Module) -> None:
        """Load the weights of a module."""
        with fitting_bands(module):
            super().__call__(module)
