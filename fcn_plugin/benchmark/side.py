"""One of the networks that are measured against each other, in a process of its own."""

from __future__ import annotations

import resource
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from ..paper.patch_classification import measure_time
from ..utils.config import read_config
from .compute import count_flops, matrix_product_rate
from .inputs import Batch, random_batch
from .layer_times import LayerTimes, layer_times
from .setting import DTYPES, Setting
from .working_memory import step_memory

#: A timed run lasts about so many seconds at least: short computations are repeated.
RUN_SECONDS = 0.2
#: The computations that are measured.
COMPUTATIONS = ("forward", "step")


class Side(ABC):
    """A network with its optimizer and inputs, and what can be measured of it.

    Args:
        setting (Setting): what all sides have in common.
        dtype (str): key of ``DTYPES``; bfloat16 is computed by autocast.

    Attributes:
        model (nn.Module): the network, on the device.
        optimizer (torch.optim.Optimizer): of its training.
        modules (Mapping[str, nn.Module]): what is told apart as a layer, by name.
        num_classes (int): of the labels.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    modules: Mapping[str, nn.Module]
    num_classes: int

    def __init__(self, setting: Setting, dtype: str = "fp32") -> None:
        self.setting, self.dtype, self.device = setting, dtype, torch.device(setting.device)
        self.keeps_memory = self.keep_memory()
        if setting.threads:
            torch.set_num_threads(setting.threads)
        self.cfg = read_config(setting.config)
        init_default_scope(self.cfg.get("default_scope") or "mmseg")
        # alike for all sides, as a training with the config and TF32 sets it
        torch.backends.cudnn.benchmark = bool((self.cfg.get("env_cfg") or {}).get("cudnn_benchmark"))
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
        torch.manual_seed(setting.seed)  # of the dropout

    @abstractmethod
    def keep_memory(self) -> bool:
        """Let the process keep freed memory, where this side does; returns whether it was set."""

    @abstractmethod
    def use(self, batch: Batch) -> None:
        """Compute with this batch from now on: set ``image``, the normalised images (N, 3, H, W) on the device."""

    @abstractmethod
    def logits(self) -> Tensor:
        """Logits (N, num_classes, H, W) of ``image``."""

    @abstractmethod
    def step(self) -> None:
        """Train on the batch once."""

    def set_inputs(self, number: int, shape: tuple[int, int]) -> None:
        """Compute with so many random images of a height and a width."""
        self.use(random_batch(number, shape, self.num_classes, self.setting.seed))

    @torch.no_grad()
    def forward(self) -> Tensor:
        """The logits, in eval mode and the side's number format."""
        with self.autocast():
            return self.logits()

    def autocast(self) -> torch.autocast | nullcontext:
        """What the forward pass runs in."""
        return nullcontext() if self.dtype == "fp32" else torch.autocast(self.device.type, DTYPES[self.dtype])

    def computation(self, name: str) -> Callable[[], object]:
        """``forward`` or ``step``, with the network in the mode for it."""
        self.model.train(name == "step")
        return getattr(self, name)

    def machine(self) -> dict:
        """The device's name (None for the CPU), the number of threads, and whether the process keeps freed memory."""
        name = torch.cuda.get_device_name() if self.device.type == "cuda" else None
        return dict(device_name=name, threads=torch.get_num_threads(), keeps_freed_memory=self.keeps_memory)

    def warm_up(self, name: str) -> int:
        """Run a computation once, a short one twice; returns how many calls make a timed run."""
        run = self.computation(name)
        if measure_time(run, self.device) > 5 * RUN_SECONDS:
            return 1  # what the first call does in addition does not matter
        return max(1, round(RUN_SECONDS / measure_time(run, self.device)))

    def seconds(self, name: str, calls: int = 1) -> float:
        """Seconds of a computation, the mean of some calls."""
        run = self.computation(name)

        def several() -> None:
            for _ in range(calls):
                run()

        return measure_time(several, self.device) / calls

    def exact_logits(self) -> np.ndarray:
        """Logits as float32 (N, num_classes, H, W), without TF32."""
        with _without_tf32():
            return self.computation("forward")().float().cpu().numpy()

    def memory(self) -> dict[str, int | None]:
        """Bytes that a training step needs.

        Returns:
            dict: ``working``, the peak of tensors that are no parameters, gradients or state of the optimizer;
            ``allocated``, the peak of all tensors by CUDA's allocator, and ``resident``, the peak of the whole process
            so far, each None on the other device.
        """
        found: dict[str, int | None] = dict(allocated=None, resident=None)
        step = self.computation("step")
        if not self.optimizer.state:
            step()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            step()
            found["allocated"] = torch.cuda.max_memory_allocated()
        else:
            # in KiB, but on macOS
            unit = 1 if sys.platform == "darwin" else 1024
            found["resident"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return dict(working=step_memory(step, self.model, self.optimizer), **found)

    def flops(self) -> dict[str, int]:
        """Floating point operations by computation."""
        return {name: count_flops(self.computation(name)) for name in COMPUTATIONS}

    def matrix_product_rate(self) -> float:
        """Operations per second of a large matrix product in the side's number format."""
        return matrix_product_rate(self.device, DTYPES[self.dtype])

    def layers(self, repeats: int) -> LayerTimes:
        """Where the time of a training step goes."""
        return layer_times(self.modules, self.computation("step"), self.device, repeats)


@contextmanager
def _without_tf32():
    flags = [(torch.backends.cudnn, "allow_tf32"), (torch.backends.cuda.matmul, "allow_tf32")]
    before = [getattr(*flag) for flag in flags]
    try:
        for flag in flags:
            setattr(*flag, False)
        yield
    finally:
        for flag, value in zip(flags, before):
            setattr(*flag, value)
