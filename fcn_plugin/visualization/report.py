"""A report of one training as a single HTML file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..utils.config import read_config
from ..utils.files import atomic_write, check_writable
from .class_metrics import ClassMetrics, last_test, last_validation, ordered_means
from .comparison import Comparison, compare
from .confusion import draw_confusion
from .curves import default_window, draw_curves, running_median
from .evaluation_set import EvaluationSet
from .facts import data_lists, environment, weights_facts
from .figures import figure_bytes
from .page import data_url, render
from .run_log import CONFIG, RunLog, read_stages

MIME_TYPES = dict(png="image/png", svg="image/svg+xml")


def write_report(
    work_dir: str | Path,
    out: str | Path,
    predictions: Mapping[str, Path] | None = None,
    rows: int = 4,
    data_root: str | None = None,
) -> None:
    """Write a report of a training with the stages that led to it.

    Args:
        work_dir (str | Path): of the last stage.
        out (str | Path): HTML file to write, as a whole or not at all.
        predictions (Mapping[str, Path], optional): directories of index PNGs of the validation images, by name; the
            images are shown, evenly over all mean IU of the last, and its confusion matrix.
        rows (int): how many images.
        data_root (str, optional): where the data are now, in place of the config's root.

    Raises:
        FileNotFoundError: if there is no log, or predictions are missing.
        ValueError: for a damaged log, or data or predictions that do not fit each other.
    """
    if rows < 0:
        raise ValueError(f"the number of rows must be at least 0, got {rows}")
    out = Path(out)
    if not out.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {out.parent} for the report {out.name}")
    check_writable(out.parent)
    stages = read_stages(work_dir)
    cfg = read_config(str(stages[-1].sessions[-1] / CONFIG), data_root=data_root)
    compared = compare(EvaluationSet(cfg, "val"), predictions) if predictions else None
    content = render({**_training(stages), **_samples(compared, rows), "data": data_lists(cfg)})
    with atomic_write(out) as partial:
        partial.write_text(content, encoding="utf-8")


def _training(stages: list[RunLog]) -> dict:
    """What the page says of the training itself."""
    run = stages[-1]
    done = f"{run.iterations:,} iterations logged" + (f" of {run.max_iters:,}" if run.max_iters else "")
    sessions = f", in {len(run.sessions)} sessions" if len(run.sessions) > 1 else ""
    evaluations = [last_validation(run), last_test(run.work_dir)]
    summaries = [_stage(stage) for stage in stages]
    names = ", ".join(stage.name for stage in stages)
    return dict(
        title=run.name,
        state=f"{done}{sessions}; {run.work_dir}",
        evaluations=[_evaluation(found) for found in evaluations if found],
        curves=_picture(
            draw_curves({run.name: stages}),
            alt=f"Curves over the iterations of {names}. " + " ".join(s["sentence"] for s in summaries),
            caption="Loss as logged (pale) and its running median, learning rate, and mean IU of the validations.",
            kind="svg",
        ),
        stages=summaries,
        weights=weights_facts(run),
        environment=environment(run),
        config=(run.sessions[-1] / CONFIG).read_text(encoding="utf-8"),
        config_name=run.name,
    )


def _picture(figure: Figure, alt: str, caption: str, kind: str = "png") -> dict:
    return dict(data=data_url(figure_bytes(figure, kind), MIME_TYPES[kind]), alt=alt, caption=caption)


def _evaluation(found: ClassMetrics) -> dict:
    when = f"Validation after {found.step:,} iterations" if found.split == "val" else "Last test in this directory"
    means = ordered_means(found.metrics)
    caption = f"{when}, in percent: " + ", ".join(f"{k} {v:.2f}" for k, v in means.items() if v is not None)
    return {**vars(found), "means": means, "caption": caption}


def _stage(stage: RunLog) -> dict:
    losses, figures = stage.series("loss")[1], stage.series("mIoU")[1]
    loss = running_median(losses, default_window(len(losses)))[-1]
    mean_iu = float(figures[-1]) if len(figures) and math.isfinite(figures[-1]) else None
    sentence = f"{stage.name} ends with loss {loss:.4g}" + (f" and mIoU {mean_iu:.2f}." if mean_iu is not None else ".")
    return dict(name=stage.name, iterations=stage.iterations, loss=f"{loss:.4g}", mean_iu=mean_iu, sentence=sentence)


def _samples(compared: Comparison | None, rows: int) -> dict:
    """Rows of pictures and the confusion matrix, if there are predictions."""
    if compared is None:
        return dict(samples=[], samples_note="")
    model, data, images = list(compared.directories)[-1], compared.data, []
    order = compared.worst_first()
    for place in sorted({round(place) for place in np.linspace(0, len(order) - 1, min(rows, len(order)))}):
        index = order[place]
        scores = {name: 100 * compared.scores(name, index).mean_iu for name in compared.directories}
        listed = ", ".join(f"{name} {value:.1f}" for name, value in scores.items())
        alt = f"{data.names[index]}: image, truth and predictions; mIoU: {listed}"
        images.append(_picture(compared.row(index), alt, data.names[index]))
    figure, accuracy = draw_confusion(compared.confusion[model], data.classes), compared.scores(model).pixel_accuracy
    alt = f"Confusion matrix of {model}: {100 * accuracy:.2f} percent of the pixels are right"
    images.append(_picture(figure, alt, f"Confusion matrix of {model}, in percent of each true class"))
    note = f"Some of the {len(data)} images, evenly over all mIoU of {model}: the lowest first, the highest last."
    return dict(samples=images, samples_note=note)
