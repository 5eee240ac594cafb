"""Tables of all sides, measured one side at a time."""

from argparse import Namespace
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np
from prettytable import PrettyTable

from . import measure
from .process import SideProcess
from .sides import Side

AREAS, BATCHES = (0.25, 0.5, 1.0, 2.0, 4.0), (1, 2, 4)  # of the sweep: times the given area, images
COMPUTATIONS = ("forward", "step")
Sides = dict[str, SideProcess]


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
    found = PrettyTable([name for name, cell in rows[0].items() if not isinstance(cell, list)])
    for name in found.field_names:
        found.align[name] = "l" if isinstance(rows[0][name], str) else "r"
    found.custom_format = lambda _, cell: _text(cell)
    found.add_rows([[row[name] for name in found.field_names] for row in rows])
    return found.get_string()


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.2f}" if abs(cell) >= 1 else f"{cell:.3g}"
    return "" if cell is None else str(cell)


def ask(sides: Sides, function: Callable, *args: object) -> dict[str, object]:
    """Call a function with each side in turn."""
    return {name: side.call(function, *args) for name, side in sides.items()}


def machines(sides: Sides, peer: str | None) -> list[dict]:
    """Where the sides compute, and how far their logits are from the peer's; ValueError for another network."""
    logits, asked, reference = ask(sides, measure.exact_logits), ask(sides, measure.machine), peer or next(iter(sides))
    expected = logits[reference]
    found = {name: float(np.abs(one - expected).max() / np.ptp(expected)) for name, one in logits.items()}
    if peer and not max(found.values()) < 0.05:
        raise ValueError(f"{peer} is not the config's network: logits differ by {max(found.values()):.2g}")
    return [{"side": name, **asked[name], f"logits, from {reference}": found[name]} for name in sides]


def times(sides: Sides, peer: str | None, repeats: int) -> list[dict]:
    """Time of the forward pass and of a training step, in rounds in which the sides take turns."""
    found = {name: [ask(sides, measure.milliseconds, name) for _ in range(repeats)] for name in COMPUTATIONS}
    rows = []
    for side in sides:
        for name, rounds in found.items():
            ms = [one[side] for one in rounds]
            row = {"side": side, "computation": name, "ms": median(ms), "min": min(ms), "max": max(ms), "all ms": ms}
            if peer:
                ratios = [one[side] / one[peer] for one in rounds]
                row |= {"of the peer's": median(ratios), "min ratio": min(ratios), "max ratio": max(ratios)}
            rows.append(row)
    return rows


def memory(sides: Sides, peer: str | None) -> list[dict]:
    """Memory of a training step."""
    rows = [{"side": side, **found} for side, found in ask(sides, measure.memory).items()]
    for row in rows if peer else ():
        row["working, of the peer's"] = row["working MiB"] / rows[-1]["working MiB"]
    return rows


def compute(sides: Sides, measured: list[dict]) -> list[dict]:
    """Floating point operations, and the share of the device's rate of them in a large matrix product."""
    rates, rows = ask(sides, measure.matrix_product_rate), []
    for side, computation, ms in ((row["side"], row["computation"], row["ms"]) for row in measured):
        gflop, best = sides[side].call(measure.count_flops, computation) / 1e9, rates[side] / 1e9
        row = {"side": side, "computation": computation, "GFLOP": gflop, "GFLOP/s": 1e3 * gflop / ms}
        rows.append(row | {"matrix product GFLOP/s": best, "% of it": 100 * row["GFLOP/s"] / best})
    return rows


def sweep(sides: Sides, shape: tuple[int, int], repeats: int) -> list[dict]:
    """Times per image over its area and the batch, and the line through them by least squares (MP: 1e6 pixels)."""
    shapes = list(dict.fromkeys(tuple(max(1, round(length * area**0.5)) for length in shape) for area in AREAS))
    areas, rows = np.prod(shapes, axis=1) / 1e6, []
    for side, batch in ((side, batch) for side in sides.values() for batch in BATCHES):
        found = []
        for one in shapes:
            side.call(Side.set_inputs, batch, one)
            found.append([median(side.call(measure.milliseconds, c) for _ in range(repeats)) for c in COMPUTATIONS])
        for computation, ms in zip(COMPUTATIONS, np.array(found).T / batch):
            b, a = np.polyfit(areas, ms, 1)
            row = {"side": side.name, "computation": computation, "batch": batch}
            row |= {f"{height} x {width}": float(one) for (height, width), one in zip(shapes, ms)}
            row |= {"a ms": float(a), "b ms/MP": float(b), "R^2": float(np.corrcoef(areas, ms)[0, 1] ** 2)}
            rows.append(row | {"deviation %": 100 * float(np.abs((a + b * areas) / ms - 1).max())})
    return rows
