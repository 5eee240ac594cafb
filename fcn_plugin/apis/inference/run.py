"""Prediction of many pictures and videos, of which single ones may be broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import mmcv

from ...utils.images import frames_of
from ...utils.text import first_line
from ...utils.tiff_windows import NoWindowsError, geo_tags_of, is_tiff
from .large import LargePrediction
from .outputs import Output
from .predictor import Prediction, Predictor, Sample
from .sources import OVERLAYS, Source
from .video import batches_of_frames, open_video, writing_video
from .writer import PredictionWriter

#: How many batches' worth of pictures may wait for others of their size.
MAX_WAITING = 8
#: What comes of a picture that a model cannot predict, of memory that does not suffice among others.
FAILURES = (RuntimeError, ValueError, AssertionError)


@dataclass(frozen=True)
class Step:
    """How far the prediction of one source has come.

    Attributes:
        source: the picture or video.
        share: how much of it is done; below 1 only for a video, or a large picture, that goes on.
        problem: why it was left out.
        remark: what else there is to say of it.
    """

    source: Source
    share: float = 1.0
    problem: str | None = None
    remark: str | None = None


class Inference:
    """Predicts pictures, then videos, and writes the predictions.

    Pictures of the same size are predicted together, so that none is padded and no prediction depends on what else is
    predicted. What cannot be read or predicted is left out and reported, and the rest goes on; of a video that fails on
    the way, the class indices of the frames before are kept.

    Args:
        predictor (Predictor): the model.
        writer (PredictionWriter): writes the predictions; the overlays of a video are a video.
        on_step (Callable): called for each picture, for each batch of a video, and each window of a large picture.
        batch_size (int): how many pictures or frames are predicted together at most.
        frames (bool): whether to write class indices of each frame of a video, as ``NAME.SUFFIX/000000.png``.

    Raises:
        ValueError: for a batch size below 1; when called, if nothing would be written of a video.
        OSError: when called, if a prediction cannot be written.
    """

    def __init__(
        self,
        predictor: Predictor,
        writer: PredictionWriter,
        on_step: Callable[[Step], None],
        batch_size: int = 1,
        frames: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"the batch size must be at least 1, got {batch_size}")
        self.predictor, self.writer, self.on_step = predictor, writer, on_step
        self.batch_size, self.frames = batch_size, frames
        self._large: LargePrediction | None = None

    def __call__(self, sources: Sequence[Source]) -> None:
        """Predict the sources, as from :func:`find_sources`."""
        videos = [source for source in sources if source.is_video]
        if videos and not (self.writer.overlays or self.frames):
            raise ValueError(f"of {videos[0].path} nothing would be written: ask for overlays, or for its frames")
        if any(not source.is_video and is_tiff(source.path) for source in sources) and self.predictor.predicts_tiles:
            self._large = LargePrediction(self.predictor, self.writer)
        self._predict_pictures([source for source in sources if not source.is_video])
        if self.writer.polygons:
            self.writer.polygons.finish()
        for source in videos:
            self._predict_video(source)

    def _predict_pictures(self, sources: Sequence[Source]) -> None:
        waiting: dict[tuple, list[tuple[Source, Sample]]] = {}
        for source in sources:
            if self._large and is_tiff(source.path) and self._predict_large(source):
                continue
            try:
                sample = self.predictor.read(source.path)
            except Exception as error:  # whatever a transform makes of an unusual picture
                self.on_step(Step(source, problem=first_line(error)))
                continue
            waiting.setdefault(sample.sizes, []).append((source, sample))
            fullest = max(waiting, key=lambda sizes: len(waiting[sizes]))
            if (
                len(waiting[fullest]) == self.batch_size
                or sum(map(len, waiting.values())) >= MAX_WAITING * self.batch_size
            ):
                self._finish(waiting.pop(fullest))
        for batch in waiting.values():
            self._finish(batch)

    def _predict_large(self, source: Source) -> bool:
        """Predict a TIFF window by window; False if it must be read as a whole."""
        problem = remark = None
        try:
            remark = self._large(source, lambda share: self.on_step(Step(source, share)) if share < 1 else None)
        except NoWindowsError as error:
            self.on_step(Step(source, 0.0, remark=f"it is read as a whole: {first_line(error)}"))
            return False
        except FAILURES as error:
            problem = first_line(error)
        self.on_step(Step(source, problem=problem, remark=remark))
        return True

    def _finish(self, batch: Sequence[tuple[Source, Sample]]) -> None:
        results = self._predict([sample for _, sample in batch], self.writer.outputs)
        for (source, sample), result in zip(batch, results):
            if isinstance(result, str):
                self.on_step(Step(source, problem=result))
            else:
                geo_tags = geo_tags_of(source.path)
                self.writer.write(source.name, sample.image, result.labels, result.values, geo_tags)
                if self.writer.polygons:
                    self.writer.polygons.write(source.name, source.file_name, result.labels, geo_tags)
                number, kind = frames_of(source.path)
                remark = f"it has {number} {kind}, of which the first alone is predicted" if number > 1 else None
                self.on_step(Step(source, remark=remark))

    def _predict(self, samples: Sequence[Sample], outputs: Sequence[Output] = ()) -> list[Prediction | str]:
        """The prediction of each sample, or why it cannot be predicted."""
        try:
            return self.predictor.predict_outputs(samples, outputs)
        except FAILURES as error:
            reason = first_line(error)
        # one by one, not inside of the handler, whose error holds on to the memory of the batch
        return [reason] if len(samples) == 1 else [self._predict([sample], outputs)[0] for sample in samples]

    def _predict_video(self, source: Source) -> None:
        problem = remark = None
        try:
            reader = open_video(source.path)
            number = self._predict_frames(source, reader)
            if number < reader.frame_cnt:
                remark = f"it has {number} frames that can be read, where its header tells of {reader.frame_cnt}"
        except FAILURES as error:
            problem = first_line(error)
        self.on_step(Step(source, problem=problem, remark=remark))

    def _predict_frames(self, source: Source, reader: mmcv.VideoReader) -> int:
        """Predict and write all frames of a video, and return how many there are."""
        number, append = 0, None
        with ExitStack() as stack:
            for batch in batches_of_frames(reader, self.batch_size):
                if self.writer.overlays and append is None:
                    path = self.writer.out / OVERLAYS / source.name
                    append = stack.enter_context(writing_video(path, reader.fps, batch[0].shape[:2]))
                for frame, result in zip(batch, self._predict([self.predictor.prepare(frame) for frame in batch])):
                    if isinstance(result, str):
                        raise ValueError(f"frame {number}: {result}")
                    if append:
                        append(self.writer.overlay(frame, result.labels)[..., ::-1])
                    if self.frames:
                        self.writer.write_labels(f"{source.name}{source.path.suffix}/{number:06d}", result.labels)
                    number += 1
                self.on_step(Step(source, number / max(reader.frame_cnt, number + 1)))
        if not number:
            raise ValueError("it has no frame that can be read")
        return number
