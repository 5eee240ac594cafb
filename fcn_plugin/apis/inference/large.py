"""Prediction of TIFFs that are larger than the memory, from file to file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from mmseg.datasets.transforms import PackSegInputs

from ...datasets.transforms import LoadBands
from ...datasets.transforms.loading import is_step
from ...geometry.tiles import Block
from ...models.segmentors.tiled_inference import classes_of, tiles_of
from ...utils.files import CannotWriteError, file_digest
from ...utils.tiff_windows import TiffWindows
from ...utils.tiled_tiff import write_tiled
from ...version import __version__
from .partial import PartialPrediction, Plane, read_journal
from .predictor import Predictor
from .sources import LABELS, OVERLAYS, Source
from .windowed_pictures import WindowedPictures, inside
from .writer import PredictionWriter

#: Bytes of a block of a TIFF, decoded, from which on it is said that it takes memory.
LARGE_BLOCK = 1 << 28


class LargePrediction:
    """Predicts a TIFF window by window, and writes ``labels/NAME.tif`` and the like.

    For networks with ``test_cfg.mode='tiles'``. Neither the picture nor what is predicted is ever in memory as a whole.
    A window is read by the test pipeline, as a small TIFF of the picture's kind; the pipeline may do nothing but load
    and pack it, as other steps could not see what is around. What is finished is in ``OUT/.NAME.partial``
    (:class:`PartialPrediction`) until all is there, and the TIFFs are written from that, tiled and compressed, with the
    coordinate system of the picture. In their tag Software stands what they were predicted with; if all is as before,
    nothing is done.

    Args:
        predictor (Predictor): the model, without test-time augmentation.
        writer (PredictionWriter): what is wanted.

    Raises:
        ValueError: if the test pipeline changes pictures, or another format than TIFF is wanted.
    """

    def __init__(self, predictor: Predictor, writer: PredictionWriter) -> None:
        self.predictor, self.writer = predictor, writer
        for step in predictor.steps:
            if not is_step(step, PackSegInputs):
                raise ValueError(
                    f"the step {step['type']} of the test pipeline needs the whole picture, of which windows are read:"
                    " take it out of the pipeline, or set model.test_cfg.mode=whole"
                )
        if writer.format not in (None, "tiff"):
            raise ValueError(f"large pictures are written as TIFFs, not as {writer.format}: leave the format out")
        self._fingerprint: dict[str, str] | None = None

    def __call__(self, source: Source, on_share: Callable[[float], None]) -> str | None:
        """Predict a picture, and return what else there is to say of it.

        Args:
            source (Source): a TIFF.
            on_share (Callable): called with the share that is done, for each window.

        Raises:
            NoWindowsError: if no windows of it can be read, before anything is written.
            ValueError: if it cannot be read, or the network does not take it.
            CannotWriteError: if there is no room.
        """
        load = self.predictor.load
        windows = TiffWindows(source.path, isinstance(load, LoadBands) and load.pages)
        try:
            return self._predict(source, windows, on_share)
        except OSError as error:
            if isinstance(error, CannotWriteError):
                raise
            raise ValueError(str(error)) from error
        finally:
            windows.close()

    def _predict(self, source: Source, windows: TiffWindows, on_share: Callable[[float], None]) -> str | None:
        import tifffile

        planes, remarks = self._planes(windows)
        if windows.pages > 1 and not getattr(self.predictor.load, "pages", False):
            remarks.append(f"it has {windows.pages} pages, of which the first alone is predicted")
        folder = self.writer.out / source.folder / f".{source.path.stem}.partial"
        found, _ = read_journal(folder)
        settings = self._settings(source, planes)
        software = f"fcn_plugin {__version__} {_digest(sorted(settings.items()))}"
        paths = {name: self.writer.out / name / f"{source.name}.tif" for name in planes}
        if not planes:
            return "; ".join(remarks)
        if found is None and all(_software(path) == software for path in paths.values()):
            on_share(1)
            if self.writer.polygons:
                self._write_polygons(source, tifffile.imread(paths[LABELS]), windows)
            return "it was predicted before with the very same settings"
        with torch.no_grad():
            pictures = WindowedPictures(self.predictor, windows, folder.with_name(f"{folder.name}.window"))
            try:
                side = self.predictor.model.tiling.settings.tile
                if side == "auto":  # goes on as it began, however much memory is free now
                    side = (found or {}).get("side") or self.predictor.model.tiling.side(self.predictor.model, pictures)
                partial = PartialPrediction(folder, {**settings, "side": side}, windows.size, planes)
                try:
                    if partial.changed:
                        remarks.append(f"begun anew, as other {' and '.join(partial.changed)} had been given")
                    elif partial.kept:
                        remarks.append(f"went on after {partial.kept} finished windows")
                    self._compute(pictures, partial, side, on_share)
                    for name, path in paths.items():
                        self._finish(name, path, partial, windows, software)
                    if self.writer.polygons:
                        self._write_polygons(source, partial.read(LABELS, 0, slice(0, windows.size[0])), windows)
                    partial.remove()
                finally:
                    partial.close()
            finally:
                pictures.close()
        if windows.block > LARGE_BLOCK:
            remarks.append(
                f"its blocks have {windows.block >> 20} MiB, which are in memory at a time: save it in tiles for less"
            )
        return "; ".join(remarks) or None

    def _planes(self, windows: TiffWindows) -> tuple[dict[str, Plane], list[str]]:
        planes, remarks = {}, []
        if self.writer.labels or self.writer.polygons:
            planes[LABELS] = Plane(1, np.uint8)
        if self.writer.overlays and (windows.bits == 8 or not isinstance(self.predictor.load, LoadBands)):
            planes[OVERLAYS] = Plane(3, np.uint8)
        elif self.writer.overlays:
            remarks.append(f"no overlay: {windows.bits} bits would be shown in other colours in each window")
        if OVERLAYS in planes and self.writer.class_names:
            remarks.append("its overlay has no names of classes, which would be in each window")
        planes.update({one.name: Plane(len(one.bands), one.dtype) for one in self.writer.outputs})
        return planes, remarks

    def _settings(self, source: Source, planes: Mapping[str, Plane]) -> dict:
        """All that the predicted values depend on."""
        if self._fingerprint is None:
            self._fingerprint = _fingerprint(self.predictor)
        outputs = [sorted((name, plane.bands, np.dtype(plane.dtype).name) for name, plane in planes.items())]
        return dict(
            **self._fingerprint,
            picture=file_digest(source.path),
            outputs=_digest([*outputs, self.writer.settings]),
        )

    def _compute(
        self, pictures: WindowedPictures, partial: PartialPrediction, side: int, on_share: Callable[[float], None]
    ) -> None:
        height, width = partial.size
        done = sum((bottom - top) * (right - left) for top, bottom, left, right in partial.done)

        def wanted(block: Block) -> bool:
            rows, columns = inside(block, partial.size)
            is_empty = rows.start >= rows.stop or columns.start >= columns.stop
            return not is_empty and (rows.start, rows.stop, columns.start, columns.stop) not in partial.done

        model = self.predictor.model
        for block, logits in tiles_of(model, pictures, side=side, wanted=wanted):
            rows, columns = inside(block, partial.size)
            logits = logits[:, :, : rows.stop - rows.start, : columns.stop - columns.start]
            labels = classes_of(model, logits)[0, 0].to("cpu", torch.uint8).numpy()
            values = {}
            if LABELS in partial.planes:
                values[LABELS] = self.writer.indices(labels)[None]
            if OVERLAYS in partial.planes:
                image = pictures.sample(rows, columns).image
                values[OVERLAYS] = self.writer.overlay(image, labels, names=False).transpose(2, 0, 1)
            values.update({one.name: one.values(logits[0]) for one in self.writer.outputs})
            partial.write((rows, columns), values)
            done += (rows.stop - rows.start) * (columns.stop - columns.start)
            on_share(min(done / (height * width), 0.999))

    def _write_polygons(self, source: Source, indices: np.ndarray, windows: TiffWindows) -> None:
        labels = self.writer.labels_of(indices)
        self.writer.polygons.write(source.name, source.file_name, labels, windows.geo_tags)

    def _finish(self, name: str, path: Path, partial: PartialPrediction, windows: TiffWindows, software: str) -> None:
        bands, dtype = partial.planes[name]
        write_tiled(
            path,
            (bands, *partial.size),
            dtype,
            lambda band, rows: partial.read(name, band, rows),
            palette=self.writer.palette if name == LABELS else None,
            colour=name == OVERLAYS,
            geo_tags=windows.geo_tags,
            software=software,
        )


def _fingerprint(predictor: Predictor) -> dict[str, str]:
    """Digests of the weights, of how they are used, and of how pictures are cut."""
    weights, model = hashlib.sha256(), predictor.model
    for name, tensor in sorted(model.state_dict().items()):
        weights.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        weights.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    settings, device = model.tiling.settings, next(model.parameters()).device.type
    return dict(
        version=__version__,
        weights=weights.hexdigest(),
        config=_digest(predictor.settings),
        tiles=f"{settings.tile} {settings.overlap} {settings.batch}",
        device=device,
    )


def _digest(values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()


def _software(path: Path) -> str | None:
    """What made a TIFF, as it says itself; None if it is not there, or says nothing."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            return file.pages[0].software
    except Exception:  # it is not there, or damaged
        return None
