"""A built backbone and its neck as a positive, linear copy."""

from __future__ import annotations

import copy
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from ..utils.text import first_line
from .linear_copy import LinearCopy, prepare


class LinearFeatureExtractor:
    """A backbone and its neck as a positive, linear copy; they themselves are left as they are.

    Args:
        backbone (nn.Module): takes images (N, C, H, W); its weights are of no account.
        neck (nn.Module, optional): takes what the backbone returns.

    Attributes:
        name (str): of the network, for messages.
        num_maps (int): how many maps it returns, once they have been computed.
        left_out (set[str]): as in :class:`LinearCopy`, once they have been computed.
    """

    def __init__(self, backbone: nn.Module, neck: nn.Module | None = None) -> None:
        self.parts = [prepare(with_values(part)) for part in (backbone, neck) if part is not None]
        self.name = " and ".join(type(part).__name__ for part in self.parts)
        self.num_maps = 0
        self.left_out: set[str] = set()
        convs = (module for module in self.parts[0].modules() if isinstance(module, nn.Conv2d))
        self.in_channels = next((conv.in_channels for conv in convs), 3)

    def maps(self, image: Tensor, seed: int | None = None) -> list[Tensor]:
        """Compute the feature maps of an image.

        Args:
            image (Tensor): (N, 1, H, W), float64; all channels are alike. It must require a gradient.
            seed (int, optional): see :class:`LinearCopy`.

        Returns:
            list[Tensor]: maps (N, C_i, h_i, w_i).

        Raises:
            ValueError: if the network cannot compute them, or returns something else.
        """
        x = image.expand(-1, self.in_channels, -1, -1)
        with torch.enable_grad(), LinearCopy(seed) as copy:
            try:
                for part in self.parts:
                    x = part(x)
            except Exception as error:  # whatever a component of the toolbox raises
                raise ValueError(f"{self.name} cannot be measured: {first_line(error)}") from error
        self.left_out |= copy.left_out
        maps = [x] if isinstance(x, Tensor) else list(x) if isinstance(x, (tuple, list)) else []
        maps = [m[0] if isinstance(m, (tuple, list)) and m else m for m in maps]  # (map, class token)
        if not maps or not all(isinstance(m, Tensor) and m.ndim == 4 for m in maps):
            returned = [str(tuple(m.shape)) if isinstance(m, Tensor) else type(m).__name__ for m in maps]
            raise ValueError(
                f"{self.name} cannot be measured: it returns {', '.join(returned) or type(x).__name__}, expected"
                " feature maps (N, C, H, W), alone or in a tuple"
            )
        self.num_maps = len(maps)
        return maps

    @staticmethod
    def weights(image: Tensor, feature_map: Tensor, cell: tuple[int, int]) -> np.ndarray:
        """How strongly a cell of a map sees each pixel of its image (1, 1, H, W).

        Returns:
            np.ndarray: (H, W), of sum 1; NaN if it sees none.
        """
        total = feature_map[0, :, cell[0], cell[1]].sum()
        if not total.requires_grad:
            return np.full(image.shape[2:], np.nan)
        (gradient,) = torch.autograd.grad(total, image, retain_graph=True)
        weights = gradient[0, 0].numpy()
        with np.errstate(invalid="ignore"):
            return weights / weights.sum()


def with_values(module: nn.Module) -> nn.Module:
    """A copy that shares its parameters, which :func:`prepare` replaces; buffers without values become zeros."""
    shared = {id(tensor): tensor for tensor in chain(module.parameters(), module.buffers())}
    for buffer in module.buffers():
        if buffer.device.type == "meta":
            shared[id(buffer)] = torch.zeros_like(buffer, device="cpu")
    return copy.deepcopy(module, shared)
