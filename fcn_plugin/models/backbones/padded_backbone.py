"""What the backbones of the reference have in common: a padded first convolution, and stages that end in a map."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial

import torch
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from ...geometry import IMAGE, FeatureMap, recorded_maps
from ...structures import ImageFeatures
from ...utils.torch_versions import is_compiling
from ..heads import check_heads_stretch
from ..pretrained_part import PretrainedPart
from .recomputation import recomputed


class PaddedBackbone(PretrainedPart):
    """A chain of layers in stages, each of which ends with a map that can be returned.

    A subclass adds its layers in the order in which they run (:meth:`add_layer`), which records where their cells lie,
    and ends each stage by :meth:`end_stage`; it runs one of them in :meth:`run_stage`.

    Args:
        padding (int): padding of the first convolution, >= 0.
        width (float): multiplier of all channel numbers.
        out_indices (Sequence[int]): stages whose maps are returned.
        frozen_stages (int): how many of :attr:`freezable`, from the first on, are not trained (-1 or 0: none).
        with_cp (bool | Sequence[int]): activation checkpointing of all stages, or of those of these numbers, from 1 on.
        init_cfg (dict, optional): as in mmengine; by default Kaiming initialisation.

    Attributes:
        feature_maps (tuple[FeatureMap, ...]): channels and positions of the returned maps.
        freezable (list[list[str]]): names of the layers that are frozen together.

    Raises:
        ValueError: for an argument out of range.
    """

    part = "backbone"
    #: What the stages' maps are called, for messages.
    map_names: Sequence[str]

    def __init__(
        self,
        padding: int,
        width: float,
        out_indices: Sequence[int],
        frozen_stages: int,
        with_cp: bool | Sequence[int],
        init_cfg: dict | list[dict] | None,
    ) -> None:
        super().__init__(init_cfg or dict(type="Kaiming", layer="Conv2d"))
        number = len(self.map_names)
        if not isinstance(padding, int) or padding < 0:
            raise ValueError(f"padding of the first convolution must be an integer >= 0, got {padding!r}")
        if width <= 0:
            raise ValueError(f"width must be positive, got {width}")
        if not out_indices or any(i not in range(number) for i in out_indices):
            names = ", ".join(f"{i} ({name})" for i, name in enumerate(self.map_names))
            raise ValueError(f"out_indices must name some of {names}, got {out_indices}")
        if not isinstance(with_cp, bool) and not set(with_cp) <= set(range(1, number + 1)):
            raise ValueError(f"with_cp must be True, False or numbers of stages from 1 to {number}, got {with_cp}")
        self.padding, self.out_indices, self.frozen_stages = padding, tuple(out_indices), frozen_stages
        self.with_cp = with_cp if isinstance(with_cp, bool) else tuple(with_cp)
        self.freezable: list[list[str]] = []
        self._at, self._windows, self._stage_maps = IMAGE, [], []
        self._is_checked = False

    def add_layer(self, name: str, layer: nn.Module, window: nn.Conv2d | nn.MaxPool2d | None = None) -> None:
        """Add a layer that runs next.

        Args:
            name (str): of its parameters.
            layer (nn.Module): the layer.
            window (nn.Conv2d | nn.MaxPool2d, optional): what it sees, of several branches the one that sees the most;
                by default itself.
        """
        if not hasattr(self, name):
            self.add_module(name, layer)
        window = layer if window is None else window
        if isinstance(window, (nn.Conv2d, nn.MaxPool2d)):
            values = (window.kernel_size, window.stride, window.padding)
            settings = [value if isinstance(value, int) else value[0] for value in values]
            ceil_mode = getattr(window, "ceil_mode", False)
            self._windows.append((*settings, ceil_mode))
            self._at = self._at.conv(*settings, ceil_mode=ceil_mode)

    def end_stage(self, channels: int) -> None:
        """The map of a stage is complete."""
        self._stage_maps.append(FeatureMap(channels, self._at))

    def finish(self) -> None:
        """All layers are there."""
        if not -1 <= self.frozen_stages <= len(self.freezable):
            raise ValueError(f"frozen_stages must be -1 to {len(self.freezable)}, got {self.frozen_stages}")
        self.feature_maps = tuple(self._stage_maps[i] for i in self.out_indices)
        self.to(memory_format=torch.channels_last)  # the fastest for convolutions; activations follow the weights
        self._freeze()

    @property
    def least_size(self) -> int:
        """Height and width that an image needs, in pixels, for one cell of the last map."""
        cells = 1
        for kernel, stride, padding, ceil_mode in reversed(self._windows):
            # in ceil mode the last window may stand out of the map, if it starts inside
            cells = stride * (cells - 2) + kernel + 1 if ceil_mode else stride * (cells - 1) + kernel - 2 * padding
        return max(1, cells)

    def forward(self, x: Tensor) -> ImageFeatures:
        """Compute the maps of ``out_indices``, finest first.

        Args:
            x (Tensor): images (N, in_channels, H, W).

        Raises:
            ValueError: if the image is too small for this padding to leave anything of the last map.
        """
        image_size = tuple(x.shape[2:])
        if min(image_size) < self.least_size:
            raise ValueError(
                f"{type(self).__name__} with padding={self.padding} needs images of {self.least_size} pixels or more,"
                f" got {image_size}: use a larger padding or larger images"
            )
        self._check_segmentor()
        maps = self.run_stages(x)
        return ImageFeatures([maps[i] for i in self.out_indices], image_size, [m.coord_map for m in self.feature_maps])

    def _check_segmentor(self) -> None:
        """Check once that the toolbox's own segmentor, which knows no positions, hands the maps to heads that do.

        Nobody else checks it where the toolbox's own runner is started, and its heads would stretch the maps of a
        padded image over the image. As a module does not know what it is a part of, the caller is looked for.
        """
        if self._is_checked or is_compiling():
            return
        frame = None if all(one.coord_map.spans_image for one in self.feature_maps) else sys._getframe()
        while frame and frame.f_code is not EncoderDecoder.extract_feat.__code__:
            frame = frame.f_back
        self._is_checked = True
        if frame and not recorded_maps(segmentor := frame.f_locals["self"]):
            try:
                check_heads_stretch(segmentor)
            except ValueError:
                self._is_checked = False
                raise

    def run_stages(self, x: Tensor) -> list[Tensor]:
        """The maps of all stages of images (N, in_channels, H, W)."""
        maps = []
        for number in range(1, len(self.map_names) + 1):
            stage = partial(self.run_stage, number)
            x = recomputed(stage, x, self) if self.training and self.checkpoints(number) else stage(x)
            maps.append(x)
        return maps

    @abstractmethod
    def run_stage(self, number: int, x: Tensor) -> Tensor:
        """The map of a stage, counted from 1, given the one before it."""

    def checkpoints(self, number: int) -> bool:
        """Whether ``with_cp`` asks for activation checkpointing of a stage."""
        return self.with_cp if isinstance(self.with_cp, bool) else number in self.with_cp

    def train(self, mode: bool = True) -> PaddedBackbone:
        """Set the mode; frozen layers stay in eval mode."""
        super().train(mode)
        self._freeze()
        return self

    def _freeze(self) -> None:
        for names in self.freezable[: max(0, self.frozen_stages)]:
            for name in names:
                getattr(self, name).eval().requires_grad_(False)
