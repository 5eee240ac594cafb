"""Prediction of large pictures window by window, with the logits of the whole picture, or blended ones."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from mmengine.logging import print_log
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ...geometry.locality import Locality, NotLocalError, measure_locality
from ...geometry.tiles import Block, blend_weights, overlapping, tiles
from ...utils.free_memory import free_memory
from ...utils.peak_memory import PeakMemory
from .tile_settings import TileSettings

#: Tiles that cost more than so many times the pixels of the picture are warned of.
EXPENSIVE = 4.0
#: Share of the free memory that ``tile='auto'`` takes, and largest window of its trial, in pixels.
SHARE, TRIAL = 0.5, 512


class Pictures(Protocol):
    """Pictures (N, C, H, W) of which windows are read: a tensor, or what reads them from a file."""

    shape: tuple[int, int, int, int]

    def __getitem__(self, place: tuple[slice, slice, slice, slice]) -> Tensor:
        """The pixels of ``pictures[:, :, rows, columns]``, on the device of the network."""


class TiledInference:
    """How a segmentor computes logits window by window.

    Exact tiles carry as margin what the outputs of the network see, measured when this is built (see
    :func:`fcn_plugin.geometry.locality.measure_locality`). With ``overlap``, tiles are blended linearly, which any
    network takes and which is not exact.

    ``tile='auto'`` runs the network once on a window of zeros, up to 512 pixels, counts the bytes for each of its
    pixels, and takes the largest tile whose windows need half of the memory that is free then.

    Args:
        model (EncoderDecoder): any segmentor with ``encode_decode``, built.
        settings (TileSettings): as they were read for this stride.
        stride (int): the coarsest one of its maps, in pixels; windows begin at multiples of it.

    Raises:
        ValueError: for exact tiles of a network whose outputs depend on all of a picture or on where it begins.
    """

    def __init__(self, model: EncoderDecoder, settings: TileSettings, stride: int) -> None:
        self.settings, self.stride = settings, stride
        self.locality: Locality | None = None
        self._is_announced = False
        if self.settings.overlap is None:
            try:
                self.locality = measure_locality(model, _encode_decode, stride)
            except NotLocalError as error:
                raise ValueError(
                    f"mode='tiles' cannot give what {type(model.backbone).__name__} gives for whole pictures: {error}."
                    f" Set model.test_cfg.overlap to {4 * stride} or so, which blends tiles and is not exact"
                ) from error

    def blocks(
        self,
        model: EncoderDecoder,
        pictures: Pictures,
        side: int | None = None,
        wanted: Callable[[Block], bool] = lambda block: True,
    ) -> Iterator[tuple[Block, Tensor]]:
        """Logits (N, K, h, w) of blocks of pictures, which cover them without overlap; in no certain order.

        Args:
            model (EncoderDecoder): the segmentor, in eval mode.
            pictures (Pictures): as the data preprocessor prepares them.
            side (int, optional): of the tiles, by default :meth:`side`.
            wanted (Callable): whether a block is wanted. Of these, the logits are the very same whichever others are:
                windows are computed together with those that they always are.

        Raises:
            ValueError: for pictures of a size at which tiles would not be exact.
        """
        side, size = side or self.side(model, pictures), tuple(pictures.shape[2:])
        if self.locality is None:
            yield from self._blended(model, pictures, side, wanted)
            return
        cut = list(tiles(size, side, self.locality.margin, self.stride))
        if len(cut) > 1:
            self._announce(side)
        if self.locality.whole_cells and len(cut) > 1 and any(length % self.stride for length in size):
            raise ValueError(
                f"this network stretches its maps over a picture, so tiles of one of {size} pixels would not be exact:"
                f" set model.size_divisor={self.stride}, or for heads of the toolbox"
                f" model.data_preprocessor.test_cfg=dict(size_divisor={self.stride})"
            )
        windows = ((one, one.window) for one in cut)
        for tile, logits in self._run(model, pictures, windows, lambda tile: wanted(tile.block)):
            rows, columns = tile.inside
            yield tile.block, logits[:, :, rows, columns]

    def _blended(
        self, model: EncoderDecoder, pictures: Pictures, side: int, wanted: Callable[[Block], bool]
    ) -> Iterator[tuple[Block, Tensor]]:
        """A block of full width behind each row of windows: no more than their logits are held."""
        overlap, (height, width) = self.settings.overlap, pictures.shape[2:]
        rows, columns = (overlapping(length, side, overlap, self.stride) for length in (height, width))
        weights = [blend_weights(windows, overlap) for windows in (rows, columns)]
        if len(rows) * len(columns) > 1:
            self._announce(side)
        ends = [*(row.start for row in rows[1:]), height]
        needed = [wanted((slice(row.start, end), slice(0, width))) for row, end in zip(rows, ends)]
        held: Tensor | None = None
        for number, (row, end) in enumerate(zip(rows, ends)):
            total = None
            if not any(needed[n] and rows[n].start < row.stop for n in range(number, len(rows))):
                held = None  # nothing of this row is in a block that is wanted
                continue
            windows = ((place, (row, column)) for place, column in enumerate(columns))
            for place, logits in self._run(model, pictures, windows):
                if total is None:
                    total = logits.new_zeros(*logits.shape[:2], row.stop - row.start, width)
                    if held is not None:
                        total[:, :, : held.shape[2]] = held
                weight = weights[0][number][:, None] * weights[1][place]
                total[:, :, :, columns[place]] += logits * weight.to(logits)
            if needed[number]:
                yield (slice(row.start, end), slice(0, width)), total[:, :, : end - row.start]
            held = total[:, :, end - row.start :].clone()

    def _run(
        self,
        model: EncoderDecoder,
        pictures: Pictures,
        windows: Iterable[tuple[Any, Block]],
        wanted: Callable[[Any], bool] = lambda name: True,
    ) -> Iterator[tuple[Any, Tensor]]:
        """What each window is called, and its logits; ``batch`` windows of the same size are computed together."""
        waiting: dict[tuple[int, int], list[tuple[Any, Block]]] = {}
        for one in windows:
            size = tuple(side.stop - side.start for side in one[1])
            waiting.setdefault(size, []).append(one)
            if len(waiting[size]) == self.settings.batch:
                yield from _together(model, pictures, waiting.pop(size), wanted)
        for some in waiting.values():
            yield from _together(model, pictures, some, wanted)

    def side(self, model: EncoderDecoder, pictures: Pictures) -> int:
        """Height and width of the tiles for pictures, in pixels; with ``tile='auto'``, of what fits into the memory."""
        return self._largest(model, pictures) if self.settings.tile == "auto" else self.settings.tile

    def _announce(self, side: int) -> None:
        """Tell once what tiles cost."""
        if not self._is_announced:
            self._is_announced = True
            print_log(*self._cost(side))

    def _cost(self, side: int) -> tuple[str, str, int]:
        if self.locality is None:
            cost = (side / (side - self.settings.overlap)) ** 2
            text = f"Tiles of {side} that overlap by {self.settings.overlap}: {cost:.1f} times the pixels, not exact"
            return text, "current", logging.INFO
        margin = self.locality.margin
        cost = ((side + 2 * margin) / side) ** 2
        text = f"Tiles of {side} with margins of {margin}: {cost:.1f} times the pixels"
        if cost <= EXPENSIVE:
            return text, "current", logging.INFO
        better = math.ceil(2 * margin / (EXPENSIVE**0.5 - 1) / self.stride) * self.stride
        return (
            f"{text}. From model.test_cfg.tile={better} on, it is {EXPENSIVE:g} times or less, if the memory suffices",
            "current",
            logging.WARNING,
        )

    def _largest(self, model: EncoderDecoder, pictures: Pictures) -> int:
        """The side of the largest tile whose windows fit into the memory."""
        images, channels = pictures.shape[:2]
        around = 2 * self.locality.margin if self.locality else 0
        least = self.stride if self.locality else self.settings.overlap + self.stride
        trial = max(self.stride, min(around + least, TRIAL) // self.stride * self.stride)
        device = next(model.parameters()).device
        with torch.no_grad(), PeakMemory() as memory:
            _encode_decode(model, torch.zeros(images, channels, trial, trial, device=device))
        pixels = SHARE * free_memory(device) / self.settings.batch / (memory.peak / trial**2)
        longest = math.ceil(max(pictures.shape[2:]) / self.stride) * self.stride
        return max(least, min(longest, (math.isqrt(int(pixels)) - around) // self.stride * self.stride))


def tiles_of(model: EncoderDecoder, pictures: Pictures, **settings: Any) -> Iterator[tuple[Block, Tensor]]:
    """Logits (N, K, h, w) of pictures (N, C, H, W) by blocks, for a segmentor with ``test_cfg.mode='tiles'``.

    See :meth:`TiledInference.blocks`, also for the settings. Windows are read when they are needed, and no logits are
    kept.
    """
    return model.tiling.blocks(model, pictures, **settings)


def whole_logits(model: EncoderDecoder, images: Tensor) -> Tensor:
    """Logits (N, K, H, W) of images (N, C, H, W), put together from blocks."""
    whole = None
    for (rows, columns), logits in tiles_of(model, images):
        if whole is None:
            whole = logits.new_empty(*logits.shape[:2], *images.shape[2:])
        whole[:, :, rows, columns] = logits
    return whole


def predict_labels(
    model: EncoderDecoder, images: Tensor, samples: Sequence[SegDataSample] | None
) -> Sequence[SegDataSample] | None:
    """Add ``pred_sem_seg`` to the samples of images (N, C, H, W), as the toolbox does, without logits of the whole.

    Returns:
        Sequence[SegDataSample], optional: the samples; None where logits are asked for, or needed.
    """
    if model.tiling.settings.logits or not samples:
        return None
    kept = [_kept(sample.metainfo, images.shape[2:]) for sample in samples]
    if None in kept:
        return None
    for sample, predicted, (rows, columns) in zip(samples, labels(model, images), kept):
        sample.set_data(dict(pred_sem_seg=PixelData(data=predicted[:, rows, columns])))
    return samples


def _kept(meta: Mapping, size: Sequence[int]) -> Block | None:
    """Which pixels of an input of a size are the picture; None if it was resized, or augmented for testing."""
    left, right, top, bottom = meta.get("img_padding_size", meta.get("padding_size", (0, 0, 0, 0)))
    rows, columns = slice(top, size[0] - bottom), slice(left, size[1] - right)
    same = tuple(meta["ori_shape"][:2]) == (rows.stop - rows.start, columns.stop - columns.start)
    return (rows, columns) if same and "flip" not in meta else None


def labels(model: EncoderDecoder, images: Tensor) -> Tensor:
    """Classes (N, 1, H, W) of images (N, C, H, W), of the types of the toolbox's, without logits of the whole."""
    whole = None
    for (rows, columns), logits in tiles_of(model, images):
        predicted = classes_of(model, logits)
        if whole is None:
            whole = predicted.new_empty(len(images), 1, *images.shape[2:])
        whole[:, :, rows, columns] = predicted
    return whole


def classes_of(model: EncoderDecoder, logits: Tensor) -> Tensor:
    """Classes (N, 1, h, w) of logits (N, K, h, w), as the toolbox has them; with a single score, of its type."""
    if logits.shape[1] > 1:
        return logits.max(1, keepdim=True).indices  # on CPUs in a third of the time of argmax
    return (logits.sigmoid() > model.decode_head.threshold).to(logits)


def _together(
    model: EncoderDecoder,
    pictures: Pictures,
    windows: list[tuple[Any, Block]],
    wanted: Callable[[Any], bool],
) -> Iterator[tuple[Any, Tensor]]:
    if not any(wanted(name) for name, _ in windows):
        return
    images = torch.cat([pictures[:, :, rows, columns] for _, (rows, columns) in windows])
    parts = _encode_decode(model, images).chunk(len(windows))
    yield from ((name, part) for (name, _), part in zip(windows, parts) if wanted(name))


def _encode_decode(model: nn.Module, images: Tensor) -> Tensor:
    """Logits of images as large as they are; heads of the toolbox take the size from ``img_shape``."""
    size = images.shape[2:]
    return model.encode_decode(images, [dict(ori_shape=size, img_shape=size, pad_shape=size)] * len(images))
