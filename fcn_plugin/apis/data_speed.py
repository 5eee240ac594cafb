"""How fast a data pipeline is, and how much of a training step is spent waiting for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from torch.utils.data import DataLoader

from ..visualization.run_log import SCALARS, read_json_lines, read_run
from .browse import build_loader


@dataclass(frozen=True)
class Throughput:
    """What a dataloader delivered.

    Attributes:
        workers: number of worker processes; 0 loads in the training process.
        images: number of images.
        batches: number of batches.
        seconds: time in which they came.
    """

    workers: int
    images: int
    batches: int
    seconds: float

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds

    @property
    def rate_per_worker(self) -> float:
        """Images per second and process."""
        return self.rate / max(self.workers, 1)

    def waiting_share(self, step_seconds: float) -> float:
        """Share of a training step spent waiting, if computing alone takes ``step_seconds``.

        Without workers, a batch is loaded between two steps. Workers load while the model computes, so that only what
        they take longer is waited for.
        """
        load = self.seconds / self.batches
        wait = load if self.workers == 0 else max(0.0, load - step_seconds)
        return wait / (wait + step_seconds)


def measure(cfg: Config, split: str = "train", workers: int = 0, seconds: float = 10.0) -> Throughput:
    """Run a dataloader for some time, with the config's batch size, after a first batch, in which workers start.

    Raises:
        ValueError: for arguments out of range, or an empty split.
    """
    if workers < 0 or seconds <= 0:
        raise ValueError(f"expected at least 0 workers and more than 0 seconds, got {workers} and {seconds}")
    batches = _endless(build_loader(cfg, split, workers))
    next(batches)
    start = now = time.perf_counter()
    images = count = 0
    while count == 0 or now - start < seconds:
        images += len(next(batches)["inputs"])
        count += 1
        now = time.perf_counter()
    return Throughput(workers, images, count, now - start)


def _endless(loader: DataLoader) -> Iterator[dict]:
    while True:
        yield from loader


def logged_waiting_share(path: str | Path) -> tuple[float, float]:
    """Read from the log of a training which share of its steps was spent waiting for data, and how long they took.

    Args:
        path (str | Path): a ``scalars.json``, or a work directory, of which the newest log is read.

    Returns:
        tuple[float, float]: the share, from 0 to 1, and the seconds of a step; without the first entry, in which
        workers were started, if there are others.

    Raises:
        FileNotFoundError: if there is no log of a training.
        ValueError: if it has no training steps, or is damaged.
    """
    log = Path(path) if Path(path).is_file() else read_run(path).sessions[-1] / SCALARS
    records = [record for record in read_json_lines(log) if {"loss", "time", "data_time"} <= record.keys()]
    if not records:
        raise ValueError(f"{log} has no training steps with time and data_time")
    records = records[1:] or records
    waiting, total = (sum(record[key] for record in records) for key in ("data_time", "time"))
    return waiting / total, total / len(records)
