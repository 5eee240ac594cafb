"""Work directories as a training leaves them, written without training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

ENVIRONMENT = """2026/01/02 03:04:05 - mmengine - INFO -
------------------------------------------------------------
System environment:
    sys.platform: linux
    Python: 3.11.7 <main>
    PyTorch: 2.13.0
    PyTorch compiling details: PyTorch built with:
  - GCC 13.3

    OpenCV: 5.0.0

Runtime environment:
    seed: 7
------------------------------------------------------------

"""


def train(step: int, loss: float, rate: float = 0.1, **others: float) -> dict:
    """A record of a training iteration."""
    return dict(base_lr=rate, lr=rate / 5, loss=loss, time=0.5, iter=step, step=step, **others)


def val(step: int, mean_iu: float) -> dict:
    """A record of a validation."""
    return dict(aAcc=90.0, mIoU=mean_iu, mAcc=60.0, time=0.1, step=step)


def write_session(
    work_dir: Path, stamp: str, records: Sequence[dict], log: str = "", tail: str = "", **config: object
) -> Path:
    """Write the directory of one start: its records, with ``tail`` behind them, its config and its log."""
    folder = work_dir / stamp / "vis_data"
    folder.mkdir(parents=True)
    if records or tail:
        (folder / "scalars.json").write_text("".join(f"{json.dumps(record)}\n" for record in records) + tail)
    (folder / "config.py").write_text("".join(f"{key} = {value!r}\n" for key, value in config.items()))
    (folder.parent / f"{stamp}.log").write_text(log)
    return folder.parent


def write_stages(parent: Path, last: Path) -> Path:
    """Write three stages of 100, 50 and 60 iterations, which end with an mIoU of 30, 40 and 50 percent.

    The first two are directories in ``parent``, the last one is ``last``. All are logged every 10 iterations, but the
    second one stops to be logged at iteration 40.
    """
    earlier, start = None, None
    for name, iterations, mean_iu, folder in (
        ("fcn32s_x", 100, 30.0, parent / "fcn32s_x"),
        ("fcn16s_x", 50, 40.0, parent / "fcn16s_x"),
        ("fcn8s_x", 60, 50.0, last),
    ):
        steps = range(10, (40 if name == "fcn16s_x" else iterations) + 1, 10)
        records = [train(step, mean_iu / step) for step in steps] + [val(iterations, mean_iu)]
        config = dict(train_cfg=dict(max_iters=iterations, val_interval=iterations), load_from=start)
        config |= dict(earlier_stage=f"/elsewhere/{earlier}.py") if earlier else {}
        write_session(folder, "20260102_030405", records, **config)
        (folder / f"{name}.py").write_text("")
        earlier, start = name, f"/moved/{name}/iter_{iterations}.pth"
    return last
