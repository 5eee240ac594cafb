"""A benchmark: the sides in their processes, and what is measured of them, section by section."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from multiprocessing.context import BaseContext
from pathlib import Path

import numpy as np
import torch

from ..version import __version__
from .our_side import OurSide
from .peer_side import PeerSide
from .process import SideProcess, side_processes
from .setting import Setting
from .side import COMPUTATIONS
from .sweep import sweep


class Benchmark:
    """What is measured of sides that wait in their processes, of which only one computes at a time.

    Every method measures one section of the results and returns it as plain numbers, by side.

    Args:
        sides (dict[str, SideProcess]): by name; the last is the peer, if the setting has one.
        setting (Setting): what they have in common.
        repeats (int): rounds of timing, after a warm-up.
    """

    def __init__(self, sides: dict[str, SideProcess], setting: Setting, repeats: int = 5) -> None:
        self.sides, self.setting, self.repeats = sides, setting, repeats
        self.ours = {name: side for name, side in sides.items() if name != setting.peer_side}

    def machine(self) -> dict:
        """Where it is measured."""
        found = {name: side.call("machine") for name, side in self.sides.items()}
        one = next(iter(found.values()))
        return dict(
            device=self.setting.device,
            device_name=one["device_name"],
            threads=one["threads"],
            keeps_freed_memory={name: machine["keeps_freed_memory"] for name, machine in found.items()},
            cpu=cpu_name(),
            cores=os.cpu_count(),
            usable_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            torch=torch.__version__,
            fcn_plugin=__version__,
        )

    def differences(self) -> dict[str, float]:
        """Largest difference of the logits, relative to their range, from the peer's; without one, from our first."""
        logits = {name: side.call("exact_logits") for name, side in self.sides.items()}
        reference = self.setting.peer_side or next(iter(logits))
        expected = logits.pop(reference)
        scale = max(float(np.ptp(expected)), np.finfo(np.float32).tiny)
        return {name: float(np.abs(one - expected).max()) / scale for name, one in logits.items()}

    def times(self) -> dict[str, dict]:
        """Seconds of the forward pass and of a training step, in rounds in which the sides take turns."""
        found: dict[str, dict] = {name: {} for name in self.sides}
        for computation in COMPUTATIONS:
            calls = {name: side.call("warm_up", computation) for name, side in self.sides.items()}
            rounds = [
                {name: side.call("seconds", computation, calls[name]) for name, side in self.sides.items()}
                for _ in range(self.repeats)
            ]
            for name in self.sides:
                seconds = [one[name] for one in rounds]
                found[name][computation] = dict(seconds=seconds, median=statistics.median(seconds))
                if self.setting.peer:
                    ratios = [one[name] / one[self.setting.peer_side] for one in rounds]
                    found[name][computation].update(ratios=ratios, ratio=statistics.median(ratios))
        return found

    def memory(self) -> dict[str, dict[str, int | None]]:
        """Bytes of a training step; see :meth:`Side.memory`."""
        return {name: side.call("memory") for name, side in self.sides.items()}

    def compute(self) -> dict[str, dict]:
        """Floating point operations, and the device's rate of them in a large matrix product."""
        return {
            name: dict(flops=side.call("flops"), matrix_product_rate=side.call("matrix_product_rate"))
            for name, side in self.sides.items()
        }

    def layers(self) -> dict[str, dict]:
        """Where the time of a step goes; see :class:`LayerTimes`."""
        return {name: asdict(side.call("layers", self.repeats)) for name, side in self.sides.items()}

    def sweep(self) -> dict[str, list[dict]]:
        """Times of our sides over the image's area and the batch; see :class:`Growth`."""
        arguments = (self.setting.shape, self.repeats, COMPUTATIONS)
        return {name: [asdict(one) for one in sweep(side, *arguments)] for name, side in self.ours.items()}


@contextmanager
def started(
    setting: Setting, dtypes: Sequence[str], repeats: int = 5, context: BaseContext | None = None
) -> Iterator[Benchmark]:
    """Start the processes of a checked setting, and end them at the end.

    Args:
        setting (Setting): what to measure.
        dtypes (Sequence[str]): number formats of our sides.
        repeats (int): rounds of timing.
        context (BaseContext, optional): how processes are started.

    Raises:
        SideError: if a side fails or its process ends.
    """
    makers = {f"ours {dtype}": partial(OurSide, setting, dtype) for dtype in dtypes}
    if setting.peer:
        makers[setting.peer_side] = partial(PeerSide, setting)
    environment = {"KINETO_LOG_LEVEL": "99", **os.environ}  # the profiler reports its starts and stops
    if setting.device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""  # the toolbox computes on a GPU wherever it sees one
    with side_processes(makers, context, environment) as sides:
        yield Benchmark(sides, setting, repeats)


def cpu_name() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
