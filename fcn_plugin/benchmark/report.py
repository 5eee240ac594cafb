"""Tables of a benchmark's results, one function for each section of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prettytable import PrettyTable

from .setting import Setting

MIB = 2**20


def _table(names: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> str:
    """A table whose first columns are aligned to the left."""
    table = PrettyTable(list(names), align="r")
    for name in names[:left]:
        table.align[name] = "l"
    table.add_rows([list(row) for row in rows])
    return table.get_string()


def heading(setting: Setting, machine: Mapping) -> str:
    """What is measured, and where."""
    device = machine["device_name"] or machine["cpu"]
    height, width = setting.shape
    lines = [
        f"{setting.config}, width {setting.width:g}: {setting.batch} x {height} x {width} pixels",
        f"{machine['device']}: {device}, {machine['usable_cores']} of {machine['cores']} cores,"
        f" {machine['threads']} threads a process, PyTorch {machine['torch']}, seed {setting.seed}",
    ]
    if setting.device == "cuda":
        lines.append("TF32 is allowed in fp32, but for the differences")
    kept = [name for name, keeps in machine["keeps_freed_memory"].items() if keeps]
    lines.append(f"freed memory is kept for reuse by: {', '.join(kept) or 'none'}")
    return "\n".join(lines)


def differences(found: Mapping[str, float], setting: Setting, first: str) -> str:
    """Largest differences of the logits."""
    reference = setting.peer_side or first
    parts = [f"{name} {value:.1e}" for name, value in found.items()]
    return f"largest difference from the logits of {reference}, of their range: {', '.join(parts)}" if parts else ""


def times(found: Mapping[str, Mapping]) -> str:
    """Medians, their spread, and ratios."""
    names = ["side", "computation", "ms", "min", "max"]
    compared = any("ratio" in one for times in found.values() for one in times.values())
    rows = []
    for side, computations in found.items():
        for name, one in computations.items():
            row = [side, name, *(f"{1e3 * s:.2f}" for s in (one["median"], min(one["seconds"]), max(one["seconds"])))]
            if compared:
                row += [f"{value:.3f}" for value in (one["ratio"], min(one["ratios"]), max(one["ratios"]))]
            rows.append(row)
    return _table([*names, *(["of the peer's", "min ratio", "max ratio"] if compared else [])], rows, left=2)


def memory(found: Mapping[str, Mapping], peer: str | None) -> str:
    """Memory of a training step."""
    columns = dict(working="working MiB", allocated="allocated MiB (CUDA)", resident="peak resident MiB")
    shown = [key for key in columns if any(one[key] is not None for one in found.values())]
    rows = []
    for side, one in found.items():
        row = [side, *(f"{one[key] / MIB:.1f}" for key in shown)]
        rows.append([*row, *([f"{one['working'] / found[peer]['working']:.3f}"] if peer else [])])
    names = ["side", *(columns[key] for key in shown), *(["working, of the peer's"] if peer else [])]
    return (
        _table(names, rows)
        + "\nworking: peak of a step's tensors that are no parameters, gradients of them or state of the optimizer"
    )


def compute(found: Mapping[str, Mapping], measured: Mapping[str, Mapping]) -> str:
    """Floating point operations, and the share of the device's rate."""
    rows = []
    for side, one in found.items():
        for name, flops in one["flops"].items():
            rate = flops / measured[side][name]["median"]
            share = 100 * rate / one["matrix_product_rate"]
            rows.append([side, name, *(f"{x / 1e9:.1f}" for x in (flops, rate, one["matrix_product_rate"]))])
            rows[-1].append(f"{share:.1f}")
    names = ["side", "computation", "GFLOP", "GFLOP/s", "matrix product GFLOP/s", "% of it"]
    return (
        _table(names, rows, left=2)
        + "\nGFLOP: convolutions and matrix products, a multiply-add (MAC) is 2 FLOP; matrix product: a large square"
        " torch.mm on the same threads"
    )


def layers(found: Mapping[str, Mapping], measured: Mapping[str, Mapping]) -> str:
    """Times of all layers, a table for each side."""
    return "\n".join(_layers(side, one, measured[side]["step"]["median"]) for side, one in found.items())


def _layers(side: str, found: Mapping, median: float) -> str:
    rows = []
    for layer in found["layers"]:
        shapes = sorted(set(layer["shapes"]))
        shape = f"{len(shapes)} shapes" if len(shapes) > 1 else " x ".join(map(str, shapes[0])) if shapes else ""
        label = [layer["name"] or "(the network itself)", layer["type"], shape, layer["calls"]]
        rows.append([*label, layer["forward_ms"], layer["backward_ms"]])
    totals = [
        ("all layers", *(sum(layer[key] for layer in found["layers"]) for key in ("forward_ms", "backward_ms"))),
        ("gradients", None, found["gradients_ms"]),
        ("optimizer", found["optimizer_ms"], None),
        ("rest", found["rest_ms"], None),
        ("step", found["step_ms"], None),
    ]
    rows += [[name, "", "", "", forward, backward] for name, forward, backward in totals]
    lines = []
    for *label, forward, backward in rows:
        share = 100 * ((forward or 0) + (backward or 0)) / found["step_ms"]
        both = ("" if value is None else f"{value:.2f}" for value in (forward, backward))
        lines.append([*label, *both, f"{share:.1f}"])
    names = ["layer", "type", "output", "calls", "forward ms", "backward ms", "% of step"]
    title = f"{side}, by layer: a profiled step of {found['step_ms']:.1f} ms; {1e3 * median:.1f} ms without profiler"
    return f"{title}\n{_table(names, lines, left=3)}"


def sweep(found: Mapping[str, Sequence[Mapping]]) -> str:
    """Times per image over the area, and the lines through them."""
    growths = [(side, one) for side, several in found.items() for one in several]
    shapes = [f"{height} x {width}" for height, width in growths[0][1]["shapes"]]
    rows = []
    for side, one in growths:
        line = one["line"]
        rows.append([side, one["computation"], one["batch"], *(f"{1e3 * seconds:.2f}" for seconds in one["seconds"])])
        rows[-1] += [f"{1e3 * line['intercept']:.2f}", f"{1e9 * line['slope']:.2f}", f"{line['r2']:.5f}"]
        rows[-1].append(f"{100 * line['largest_deviation']:.1f}")
    names = ["side", "computation", "batch", *shapes, "a ms", "b ms/MP", "R^2", "deviation %"]
    worst = max(100 * one["line"]["largest_deviation"] for _, one in growths)
    return (
        "ms per image, and the line a + b * area through them (MP: a million pixels)\n"
        + _table(names, rows, left=2)
        + f"\nthe cost grows linearly with the area, within {worst:.1f} % of each measured time"
    )
