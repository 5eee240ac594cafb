"""The sections of a benchmark, as tables of what is measured of its sides, one side at a time."""

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from statistics import median

import numpy as np
from prettytable import PrettyTable

from . import measure
from .process import SideProcess
from .sides import Side

#: Areas of the sweep's images, in multiples of the given ones, and images in a batch.
AREAS, BATCHES = (0.25, 0.5, 1.0, 2.0, 4.0), (1, 2, 4)
COMPUTATIONS = ("forward", "step")
Sides = Mapping[str, SideProcess]


def sections(sides: Sides, options: Namespace) -> Iterator[tuple[str, list[dict]]]:
    """Measure section by section, each with its title; with ``options.peer``, the last side is the peer."""
    peer = list(sides)[-1] if options.peer else None
    yield "sides", machines(sides, peer)
    measured = times(sides, peer, options.repeats)
    yield "times", measured
    yield "memory", memory(sides, peer)
    yield "compute", compute(sides, measured)
    for side in sides if options.layers else ():
        yield f"{side}, by layer", sides[side].call(measure.layer_times, options.repeats)
    if options.sweep:
        ours = {name: side for name, side in sides.items() if name != peer}
        yield "sweep: ms per image, and the line a + b * area through them", sweep(ours, options.shape, options.repeats)


def table(rows: list[dict]) -> str:
    """Rows as text, without the columns of lists, which are for the file of numbers."""
    names = [name for name, cell in rows[0].items() if not isinstance(cell, list)]
    found = PrettyTable(names)
    for name in names:
        found.align[name] = "l" if isinstance(rows[0][name], str) else "r"
    for row in rows:
        found.add_row([_text(row[name]) for name in names])
    return found.get_string()


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.2f}" if abs(cell) >= 1 else f"{cell:.3g}"
    return "" if cell is None else str(cell)


def ask(sides: Sides, function: Callable, *args: object) -> dict[str, object]:
    """Call a function with each side in turn."""
    return {name: side.call(function, *args) for name, side in sides.items()}


def machines(sides: Sides, peer: str | None) -> list[dict]:
    """Where the sides compute, and their largest difference of logits from the peer's or else the first, of the range.

    Raises:
        ValueError: if the peer is another network.
    """
    logits, reference = ask(sides, measure.exact_logits), peer or next(iter(sides))
    expected = logits[reference]
    found = {name: float(np.abs(one - expected).max() / np.ptp(expected)) for name, one in logits.items()}
    worst = max(found.values())
    if peer and not worst < 0.05:
        raise ValueError(f"{peer} is not the config's network: logits differ by {worst:.2g}: leave out --peer")
    asked = ask(sides, measure.machine)
    return [{"side": name, **asked[name], f"logits, from {reference}": found[name]} for name in sides]


def times(sides: Sides, peer: str | None, repeats: int) -> list[dict]:
    """Time of the forward pass and of a training step, in rounds in which the sides take turns."""
    rows = []
    for computation in COMPUTATIONS:
        rounds = [ask(sides, measure.milliseconds, computation) for _ in range(repeats)]
        for side in sides:
            ms = [one[side] for one in rounds]
            row = {
                "side": side,
                "computation": computation,
                "ms": median(ms),
                "min": min(ms),
                "max": max(ms),
                "all ms": ms,
            }
            if peer:
                ratios = [one[side] / one[peer] for one in rounds]
                row |= {"of the peer's": median(ratios), "min ratio": min(ratios), "max ratio": max(ratios)}
            rows.append(row)
    return sorted(rows, key=lambda row: list(sides).index(row["side"]))


def memory(sides: Sides, peer: str | None) -> list[dict]:
    """Memory of a training step."""
    found = ask(sides, measure.memory)
    for one in found.values() if peer else ():
        one["working, of the peer's"] = one["working MiB"] / found[peer]["working MiB"]
    return [{"side": side, **one} for side, one in found.items()]


def compute(sides: Sides, measured: list[dict]) -> list[dict]:
    """Floating point operations, and the share of the device's rate of them in a large matrix product."""
    rates, rows = ask(sides, measure.matrix_product_rate), []
    for side, computation, ms in ((row["side"], row["computation"], row["ms"]) for row in measured):
        gflop, best = sides[side].call(measure.count_flops, computation) / 1e9, rates[side] / 1e9
        row = {"side": side, "computation": computation, "GFLOP": gflop, "GFLOP/s": 1e3 * gflop / ms}
        rows.append(row | {"matrix product GFLOP/s": best, "% of it": 100 * row["GFLOP/s"] / best})
    return rows


def sweep(sides: Sides, shape: tuple[int, int], repeats: int) -> list[dict]:
    """Times per image over its area and the batch, and the line through them (MP: a million pixels)."""
    shapes = {tuple(max(1, round(length * area**0.5)) for length in shape): None for area in AREAS}
    areas = [height * width / 1e6 for height, width in shapes]
    rows = []
    for side, process in sides.items():
        for batch in BATCHES:
            found = [dict(side=side, computation=computation, batch=batch) for computation in COMPUTATIONS]
            for height, width in shapes:
                process.call(Side.set_inputs, batch, (height, width))
                for row in found:
                    ms = [process.call(measure.milliseconds, row["computation"]) for _ in range(repeats)]
                    row[f"{height} x {width}"] = median(ms) / batch
            rows += [row | line(areas, [row[f"{height} x {width}"] for height, width in shapes]) for row in found]
    return rows


def line(areas: list[float], ms: list[float]) -> dict[str, float]:
    """The straight line through measured times, by least squares, and its largest deviation from one of them."""
    b, a = np.polyfit(areas, ms, 1).tolist()
    deviations = np.abs((a + b * np.array(areas)) / ms - 1)
    r2 = float(np.corrcoef(areas, ms)[0, 1] ** 2)
    return {"a ms": a, "b ms/MP": b, "R^2": r2, "deviation %": 100 * float(deviations.max())}
