"""Time, memory and operations of a side, in its process."""

import os
import platform
import re
import resource
import sys
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.benchmark import Measurement, Timer, timer
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from fcn_plugin.utils.torch_versions import tree_leaves

from .sides import Side

#: What the profiler calls the forward pass of a layer, a node of the backward pass, and the optimizer.
LAYER, NODE, OPTIMIZER = "layer:", "autograd::engine::evaluate_function: ", "Optimizer."
REST = ("rest", "")
COLUMNS = ("layer", "type", "output", "calls", "forward ms", "backward ms", "% of step")


def machine(side: Side) -> dict:
    """Where the side computes, and whether its process keeps freed memory."""
    info = Path("/proc/cpuinfo")
    cpu = re.search("model name.*: (.*)", info.read_text()) if info.is_file() else None
    name = torch.cuda.get_device_name() if side.device.type == "cuda" else cpu[1] if cpu else platform.machine()
    cores, threads = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        torch.get_num_threads(),
    )
    return {"device": name, "cores": cores, "threads": threads, "keeps freed memory": side.keeps_memory}


def exact_logits(side: Side) -> np.ndarray:
    """Logits as float32 (N, num_classes, H, W), without TF32."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return side.computation("forward")().float().cpu().numpy()


def _time(run: Callable[[], object], seconds: float = 0.2) -> Measurement:
    """Run once to warm up, then for so many seconds, but once at least."""
    return Timer("run()", globals=dict(run=run), num_threads=torch.get_num_threads()).blocked_autorange(None, seconds)


def milliseconds(side: Side, computation: str) -> float:
    """Time of a computation, the median of as many as take a moment."""
    return 1e3 * _time(side.computation(computation)).median


def matrix_product_rate(side: Side) -> float:
    """Operations per second of a product of large square matrices, in the side's number format; the best of several."""
    size = 8192 if side.device.type == "cuda" else 2048
    one, other, out = (torch.randn(size, size, device=side.device).to(side.dtype) for _ in range(3))
    return 2 * size**3 / min(_time(lambda: torch.mm(one, other, out=out), 0.5).times)


def count_flops(side: Side, computation: str) -> int:
    """Operations of convolutions and matrix products, also backward; a multiplication and an addition are two."""

    def backward(grad, x, weight, *args, **_) -> int:
        # each gradient takes as many as the forward pass; PyTorch's own formula takes no notice of groups
        return conv_flop_count(x, weight, grad, transposed=args[4]) * sum(args[7][:2])

    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.convolution_backward: backward}) as counter:
        side.computation(computation)()
    return counter.get_total_flops()


def memory(side: Side) -> dict[str, float]:
    """MiB of a training step: what it works with, and the peak of CUDA's allocator or of the process so far."""
    step = side.computation("step")
    step()  # makes the optimizer's state
    if side.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        step()
        peak = {"allocated MiB (CUDA)": torch.cuda.max_memory_allocated() / 2**20}
    else:
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak = {"peak resident MiB": resident / (2**20 if sys.platform == "darwin" else 2**10)}
    return {"working MiB": working_memory(side) / 2**20, **peak}


class _Memories(TorchDispatchMode):
    """Notes when which memory of tensors is made and freed, so that some of it can be left out of the peak later."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = weakref.WeakKeyDictionary()  # of the memories that are alive
        self.events: list[tuple[int, int]] = []  # numbers of memories, with the bytes that are made or (-) freed

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for storage in _storages(result) - _storages((args, kwargs)):
            number = self.numbers[storage] = len(self.events)
            self.events.append((number, storage.nbytes()))
            weakref.finalize(storage, self.events.append, (number, -storage.nbytes()))
        return result


def _storages(values: object) -> set[torch.UntypedStorage]:
    return {value.untyped_storage() for value in tree_leaves(values) if isinstance(value, Tensor)}


def working_memory(side: Side) -> int:
    """Peak bytes of the tensors that a training step makes, but for gradients of parameters."""
    memories, step, gradients = _Memories(), side.computation("step"), set()

    def note_gradients(optimizer, *_) -> None:
        tensors = [one.grad for group in optimizer.param_groups for one in group["params"]]
        gradients.update(memories.numbers.get(storage) for storage in _storages(tensors))

    hook = side.optimizer.register_step_pre_hook(note_gradients)
    with memories:
        step()
    hook.remove()
    return max(0, *np.cumsum([size for number, size in memories.events if number not in gradients]).tolist())


def layer_times(side: Side, repeats: int) -> list[dict]:
    """By the innermost module that runs an operation, where the time of a step goes: the median of profiled steps."""
    found = [_profile(side) for _ in range(repeats + 1)][1:]
    return sorted(found, key=lambda rows: rows[-1]["forward ms"])[(repeats - 1) // 2]


def _profile(side: Side) -> list[dict]:
    shapes: dict[str, list[str]] = defaultdict(list)  # of what each call returned

    def named(name: str, forward: Callable, *args, **kwargs):
        found = shapes[name]
        call = len(found)
        found.append("")
        with record_function(LAYER + name):
            result = forward(*args, **kwargs)
        found[call] = " x ".join(map(str, result.shape)) if isinstance(result, Tensor) else ""
        return result

    step, cuda = side.computation("step"), side.device.type == "cuda"
    for name, module in side.modules.items():  # not by hooks, for which FCNVGG would compute whole maps
        module.forward = partial(named, name, module.forward)
    with profile(activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * cuda, acc_events=True) as profiler:
        start = timer()
        step()
        total = 1e3 * (timer() - start)
    for module in side.modules.values():
        del module.forward
    times = _attribute([event for event in profiler.events() if event.device_type.name == "CPU"], cuda)
    rows = []
    for name, found in shapes.items():
        output = f"{len(set(found))} shapes" if len(set(found)) > 1 else found[0]
        label = name or "(the network itself)", type(side.modules[name]).__name__, output, len(found)
        rows.append((*label, times["forward", name], times["backward", name]))
    sums = [sum(row[i] for row in rows) for i in (4, 5)]
    rest = total - sum(ms for owner, ms in times.items() if owner != REST)
    ends = [("all layers", *sums), ("gradients", None, times["gradients", ""])]
    ends += [("optimizer", times["optimizer", ""], None), ("rest", rest, None), ("step", total, None)]
    rows += [(name, "", "", None, *both) for name, *both in ends]
    return [dict(zip(COLUMNS, (*row, 100 * sum(filter(None, row[4:])) / total))) for row in rows]


def _attribute(events: Iterable, kernels: bool) -> dict[tuple[str, str], float]:
    """Milliseconds by (forward, backward, optimizer, gradients or rest) and the name of a layer."""
    owners, times = {}, defaultdict(float)
    makers = {}  # of the nodes of the backward pass: the last operations to start with a node's number
    for event in sorted(events, key=lambda one: (one.time_range.start, -one.time_range.end)):
        owner = owners[event.cpu_parent.id] if event.cpu_parent else REST
        if event.name.startswith(LAYER):
            owner = "forward", event.name.removeprefix(LAYER)
        elif event.name.startswith(OPTIMIZER):
            owner = "optimizer", ""
        elif event.name == NODE + "torch::autograd::AccumulateGrad":
            owner = "gradients", ""
        elif event.name.startswith(NODE):
            kind, name = makers.get((event.fwd_thread, event.sequence_nr), REST)
            owner = ("backward", name) if kind == "forward" else REST
        elif event.sequence_nr >= 0 and event.scope == 0:
            makers[event.thread, event.sequence_nr] = owner
        owners[event.id] = owner
        times[owner] += (event.self_device_time_total if kernels else event.self_cpu_time_total) / 1e3
    return times
