"""Reading and writing videos."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import mmcv
import numpy as np

from ...utils.files import atomic_write

#: How to write a video: suffix, OpenCV's backend and code. FFmpeg cuts off odd rows and columns; OpenCV's own Motion
#: JPEG keeps them, and is always there, but rounds the frames per second to a whole number.
MPEG4 = (".mp4", cv2.CAP_FFMPEG, "mp4v")
MOTION_JPEG = (".avi", cv2.CAP_OPENCV_MJPEG, "MJPG")


def open_video(path: str | Path) -> mmcv.VideoReader:
    """Open a video to read.

    Raises:
        ValueError: if it cannot be opened.
    """
    reader = mmcv.VideoReader(str(path))
    if not reader.opened:
        raise ValueError("truncated, or no video that can be read")
    return reader


def batches_of_frames(reader: mmcv.VideoReader, size: int) -> Iterator[list[np.ndarray]]:
    """The frames of a video, BGR, uint8 (H, W, 3), in lists of ``size``, of which the last may be shorter."""
    batch = []
    # not by the reader's own iteration, which seeks where a container's positions are not exact
    while (result := reader.vcap.read())[0]:
        batch.append(result[1])
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


@contextmanager
def writing_video(path: Path, fps: float, size: tuple[int, int]) -> Iterator[Callable[[np.ndarray], None]]:
    """Write a video, which is there when the block ends without an error.

    Args:
        path (Path): without a suffix: ``.mp4`` (MPEG-4) is added, or ``.avi`` (Motion JPEG) for an odd height or width
            and where OpenCV has no FFmpeg.
        fps (float): frames per second.
        size (tuple[int, int]): height and width of the frames.

    Yields:
        Callable: takes the next frame, BGR, uint8 (H, W, 3).

    Raises:
        ValueError: if such a video cannot be written, or a frame has another size.
    """
    even = size[0] % 2 == size[1] % 2 == 0
    has_ffmpeg = cv2.CAP_FFMPEG in cv2.videoio_registry.getWriterBackends()
    suffix, backend, code = MPEG4 if even and has_ffmpeg else MOTION_JPEG
    path = path.with_name(path.name + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial, _with_suffix(partial, suffix) as named:
        writer = cv2.VideoWriter(str(named), backend, cv2.VideoWriter_fourcc(*code), fps, size[::-1])
        if not writer.isOpened():
            raise ValueError(f"no video of {size[1]}x{size[0]} pixels and {fps:g} frames per second can be written")

        def append(frame: np.ndarray) -> None:
            if frame.shape[:2] != size:  # OpenCV would leave it out without a word
                raise ValueError(f"a frame has {frame.shape[1]}x{frame.shape[0]} pixels, not {size[1]}x{size[0]}")
            writer.write(np.ascontiguousarray(frame))

        try:
            yield append
        finally:
            writer.release()


@contextmanager
def _with_suffix(path: Path, suffix: str) -> Iterator[Path]:
    """Write to a name with a suffix, by which OpenCV chooses the format, in place of ``path``."""
    named = path.with_name(path.name + suffix)
    try:
        yield named
        os.replace(named, path)
    finally:
        named.unlink(missing_ok=True)
