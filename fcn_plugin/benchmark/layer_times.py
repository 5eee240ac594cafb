"""Where the time of a training step goes, layer by layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from ..paper.patch_classification import measure_time

#: What the profiler calls the forward pass of a layer, a node of the backward pass, and the optimizer.
LAYER, NODE, OPTIMIZER = "layer:", "autograd::engine::evaluate_function: ", "Optimizer."


@dataclass
class LayerTime:
    """Time of one layer in a training step.

    Attributes:
        name: of the module, empty for the network itself, what it computes outside of its layers.
        type: its class.
        shapes: those of its results, in the order of its calls; empty for what is no tensor.
        calls: their number.
        forward_ms, backward_ms: milliseconds, over all calls.
    """

    name: str
    type: str
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    calls: int = 0
    forward_ms: float = 0.0
    backward_ms: float = 0.0


@dataclass
class LayerTimes:
    """Times of all layers, and what is left of the step.

    Attributes:
        step_ms: the step as it was profiled, in milliseconds.
        layers: in the order of their first call.
        gradients_ms: accumulating the gradients of parameters.
        optimizer_ms: the optimizer, with setting gradients to None.
        rest_ms: all else: Python between the operations, the device waiting.
    """

    step_ms: float
    layers: list[LayerTime]
    gradients_ms: float
    optimizer_ms: float
    rest_ms: float


def layer_times(
    modules: Mapping[str, nn.Module], step: Callable[[], object], device: torch.device, repeats: int = 3
) -> LayerTimes:
    """Profile training steps, of which the one of median time is taken.

    Every operation counts for the innermost module that runs it, and its backward pass for the same module: on the CPU
    by its own time, on a GPU by that of its kernels.

    Args:
        modules (Mapping[str, nn.Module]): by name; containers get what they compute outside of their layers.
        step (Callable): forward pass, backward pass and step of the optimizer.
        device (torch.device): on which it runs.
        repeats (int): profiled steps, after one that is not counted.
    """
    found = [_profile(modules, step, device) for _ in range(repeats + 1)][1:]
    found.sort(key=lambda one: one.step_ms)
    return found[(len(found) - 1) // 2]


def _profile(modules: Mapping[str, nn.Module], step: Callable[[], object], device: torch.device) -> LayerTimes:
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device.type == "cuda")
    with _recorded(modules) as layers, profile(activities=activities, acc_events=True) as profiler:
        seconds = measure_time(step, device)
    times = _attribute([event for event in profiler.events() if event.device_type.name == "CPU"], device.type == "cuda")
    for (kind, name), milliseconds in times.items():
        if kind in ("forward", "backward"):
            setattr(layers[name], f"{kind}_ms", milliseconds)
    total = sum(milliseconds for (kind, _), milliseconds in times.items() if kind != "rest")
    return LayerTimes(
        step_ms=1e3 * seconds,
        layers=list(layers.values()),
        gradients_ms=times["gradients", ""],
        optimizer_ms=times["optimizer", ""],
        rest_ms=1e3 * seconds - total,
    )


@contextmanager
def _recorded(modules: Mapping[str, nn.Module]):
    """Name the forward passes of modules for the profiler; gives the layers by name, as they are called.

    Not by hooks, for which FCNVGG would compute whole maps.
    """
    layers: dict[str, LayerTime] = {}

    def recorded(name: str, module: nn.Module) -> Callable[..., object]:
        forward = module.forward

        def call(*args: object, **kwargs: object) -> object:
            layer = layers.setdefault(name, LayerTime(name, type(module).__name__))
            layer.calls += 1
            with record_function(LAYER + name):
                result = forward(*args, **kwargs)
            if isinstance(result, Tensor):
                layer.shapes.append(tuple(result.shape))
            return result

        return call

    with ExitStack() as restored:
        for name, module in modules.items():
            module.forward = recorded(name, module)
            restored.callback(vars(module).pop, "forward")
        yield layers


def _attribute(events: Iterable[FunctionEvent], kernels: bool) -> dict[tuple[str, str], float]:
    """Milliseconds by (forward, backward, optimizer, gradients or rest) and the name of a layer."""
    events = list(events)
    # The operation that made a node of the backward pass is the last to start with its number: the number of the next
    # node is noted with every operation, those before that make none have it as well.
    makers: dict[tuple[int, int], FunctionEvent] = {}
    for event in events:
        if event.sequence_nr >= 0 and event.scope == 0 and not event.name.startswith(NODE):
            key = event.thread, event.sequence_nr
            if key not in makers or event.time_range.start >= makers[key].time_range.start:
                makers[key] = event
    known: dict[int, tuple[str, str]] = {}

    def owner(event: FunctionEvent | None) -> tuple[str, str]:
        if event is None:
            return "rest", ""
        if event.id not in known:
            known[event.id] = find_owner(event)
        return known[event.id]

    def find_owner(event: FunctionEvent) -> tuple[str, str]:
        if event.name.startswith(LAYER):
            return "forward", event.name.removeprefix(LAYER)
        if event.name.startswith(OPTIMIZER):
            return "optimizer", ""
        if event.name.startswith(NODE):
            if event.name.endswith("AccumulateGrad"):
                return "gradients", ""
            kind, name = owner(makers.get((event.fwd_thread, event.sequence_nr)))
            return ("backward", name) if kind == "forward" else ("rest", "")
        return owner(event.cpu_parent)

    times: dict[tuple[str, str], float] = defaultdict(float)
    for event in events:
        times[owner(event)] += (event.self_device_time_total if kernels else event.self_cpu_time_total) / 1e3
    return times
