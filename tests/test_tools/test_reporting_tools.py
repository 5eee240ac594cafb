"""tools/plot_run.py, compare.py and report.py on a real training of three stages, the last one continued once."""

import csv
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from testing.browser import dom_of
from testing.utils import run_tool, tiny_config

from fcn_plugin.evaluation.confusion import class_areas, confusion_matrix
from fcn_plugin.evaluation.fcn_metric import fcn_scores
from fcn_plugin.evaluation.index_png import read_indices
from fcn_plugin.visualization.class_metrics import last_test, last_validation
from fcn_plugin.visualization.run_log import read_stages, stage_offsets

STAGES = ("fcn32s", "fcn16s", "fcn8s")


def scores_of(predictions, voc, *names):
    """Figures of a directory of predictions."""
    folders = (predictions, voc / "camvid/SegmentationClass")
    pairs = ([read_indices(folder / f"{name}.png") for folder in folders] for name in names)
    return fcn_scores(*sum(class_areas(confusion_matrix(*pair, num_classes=11)) for pair in pairs))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, voc) -> tuple[Path, Path, Path]:
    """Config of FCN-8s, its work directory, and the predictions of its test."""
    folder, earlier = tmp_path_factory.mktemp("trained"), None
    for model in STAGES:
        chain = dict(earlier_stage=str(earlier)) if earlier else {}
        settings = {"train_cfg.max_iters": 2, "train_cfg.val_interval": 2, "default_hooks.checkpoint.interval": 1}
        earlier = tiny_config(folder, voc, f"{model}_vgg16_camvid", **settings, **chain)
    arguments = (earlier, "--work-dir", folder / "work")
    run_tool("train.py", *arguments, cwd=folder).check()
    time.sleep(1)  # the toolbox names what a start logs by the second
    longer = ("--accept-changes", "--cfg-options", "train_cfg.max_iters=3")
    run_tool("train.py", *arguments, *longer, cwd=folder).check()
    time.sleep(1)
    checkpoint = folder / "work/iter_3.pth"
    run_tool("test.py", arguments[0], checkpoint, *arguments[1:], "--out", folder / "fcn8s", cwd=folder).check()
    return earlier, folder / "work", folder / "fcn8s"


def test_log_of_the_training(trained):
    stages = read_stages(trained[1])
    assert [stage.name for stage in stages] == list(STAGES) and stage_offsets(stages) == [0, 2, 4]
    assert [stage.series("loss")[0].tolist() for stage in stages] == [[1, 2], [1, 2], [1, 2, 3]]
    for stage in stages:  # the first layer's is a fifth of the base
        assert stage.series("base_lr")[1] == pytest.approx(5 * stage.series("lr")[1]) and stage.series("lr")[1][0] > 0
    assert [len(stage.sessions) for stage in stages] == [1, 1, 2]
    assert [stage.series("mIoU")[0].tolist() for stage in stages] == [[2], [2], [2, 3]]


def test_figures_of_the_classes(trained, voc):
    """Those of the log, and of the predictions."""
    run = read_stages(trained[1])[-1]
    validation, test = last_validation(run), last_test(run.work_dir)
    assert (validation.split, validation.step, test.split, test.step) == ("val", 3, "test", 0)
    assert list(validation.columns) == ["IoU", "Acc"] and len(validation.classes) == 11
    assert validation.metrics["mIoU"] == pytest.approx(run.series("mIoU")[1][1])
    assert list(validation.metrics) == ["aAcc", "mIoU", "mAcc", "fwIoU"]
    scores = scores_of(trained[2], voc, "image4", "image5")
    assert [np.nan if value is None else value / 100 for value in test.columns["IoU"]] == pytest.approx(
        scores.class_iu, nan_ok=True
    )
    assert test.metrics["mIoU"] == pytest.approx(100 * scores.mean_iu, abs=0.006)


def test_plot_run(trained, tmp_path):
    runs = (f"staged={trained[1]}", trained[1] / "fcn16s")
    outcome = run_tool("plot_run.py", *runs, "--out", "curves.svg", cwd=tmp_path).check()
    assert outcome.stdout.splitlines()[-3:] == [
        "staged: fcn32s 2 iterations, fcn16s 2 iterations, fcn8s 3 iterations",
        "fcn16s: fcn32s 2 iterations, fcn16s 2 iterations",
        "Wrote curves.svg.",
    ]
    assert (tmp_path / "curves.svg").read_text().startswith("<?xml")
    outcome = run_tool("plot_run.py", trained[1], "--stage-only", "--out", "one.png", cwd=tmp_path).check()
    assert "work: fcn8s 3 iterations" in outcome.stdout
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width == 990


def test_compare(trained, voc, tmp_path):
    config, _, predictions = trained
    models = (f"net={predictions}", f"truth={voc / 'camvid/SegmentationClass'}")
    for name in ("image4", "image5"):  # the truth has ignored pixels, which no prediction may have elsewhere
        assert (np.array(Image.open(voc / f"camvid/SegmentationClass/{name}.png")) == 255).any()
    outcome = run_tool(
        "compare.py", config, *models, "--out", "out", "--rows", 1, "--sort", "net", cwd=tmp_path
    ).check()
    mean_iu = scores_of(predictions, voc, "image4", "image5").mean_iu
    assert re.search(rf"mIoU +\| +{100 * mean_iu:.1f} \| +100.0 \|", outcome.stdout)
    assert "2 images of the val split:" in outcome.stdout and outcome.stdout.endswith("Wrote 6 files to out.\n")
    with (tmp_path / "out/images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["model"]) for row in rows] == [
        ("image4", "net"), ("image4", "truth"), ("image5", "net"), ("image5", "truth"),
    ]  # fmt: skip
    means = {name: scores_of(predictions, voc, name).mean_iu for name in ("image4", "image5")}
    assert [float(row["mIoU"]) for row in rows if row["model"] == "net"] == pytest.approx(
        [100 * mean for mean in means.values()], abs=0.006
    )
    worst = min(means, key=means.get)
    assert [path.name for path in (tmp_path / "out/rows").iterdir()] == [f"0001_{worst}.png"]


def test_report(trained, tmp_path):
    work_dir, predictions = trained[1:]
    run_tool("report.py", work_dir, "--out", tmp_path / "report.html", cwd=tmp_path).check()
    outcome = run_tool("report.py", work_dir, "--predictions", f"<net>={predictions}", cwd=tmp_path).check()
    report = work_dir / "report.html"
    assert outcome.stdout.endswith(f"Wrote {report}.\n")
    text, without = report.read_text(encoding="utf-8"), (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (text.count("<img "), without.count("<img ")) == (4, 1)
    for name, value in last_validation(read_stages(work_dir)[-1]).metrics.items():
        assert f"<dt>{name}</dt><dd>{value:.2f}</dd>" in text
    assert '<table id="val">' in text and '<table id="test">' in text
    assert "3 iterations logged of 3, in 2 sessions" in text and "iter_3.pth" in text and "PyTorch" in text
    assert "FCN8sHead" in text and "CamVidDataset" in text
    assert dom_of(report).count("<img ") == 4


def test_tensorboard_by_one_line(voc, tmp_path):
    """Beside the JSON log, with the same figures."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = tiny_config(tmp_path, voc, "fcn32s_vgg16_camvid", **{"train_cfg.val_interval": 4})
    with config.open("a") as file:
        file.write(
            "\nvisualizer = dict(vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])\n"
        )
    run_tool("train.py", config, "--work-dir", tmp_path / "work", cwd=tmp_path).check()
    (log,) = (tmp_path / "work").glob("*/vis_data/scalars.json")
    records = [json.loads(line) for line in log.read_text().splitlines()]
    events = EventAccumulator(str(log.parent))
    events.Reload()
    for key, number in (("loss", 4), ("lr", 4), ("mIoU", 1)):
        expected = [(record["step"], pytest.approx(record[key])) for record in records if key in record]
        assert len(expected) == number
        assert [(event.step, event.value) for event in events.Scalars(key)] == expected


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["plot", "missing", "--out", "a.png"], "there is no directory missing"),
        (["plot", "{work}", "--out", "a.txt"], "a picture must end in"),
        (["plot", "{work}", "--out", "a.png", "--window", "4"], "odd number from 1 on, got 4"),
        (["plot", "{out}", "--out", "a.png"], "has no log of a training"),
        (["compare", "missing.py", "{out}", "--out", "a"], "there is no config missing.py"),
        (["compare", "{config}", "{work}", "--out", "a"], "has no prediction for 2 of 2 images"),
        (["compare", "{config}", "{out}", "--out", "{work}"], "is there already"),
        (["compare", "{config}", "{out}", "--out", "a", "--sort", "x"], "no model 'x' to sort by, only fcn8s"),
        (["compare", "{config}", "{out}", "--out", "a", "--data-root", "x"], "x/JPEGImages, which does not exist"),
        (["report", "missing"], "there is no directory"),
        (["report", "{out}", "--out", "a"], "has no log of a training"),
        (["report", "{work}", "--out", "a", "--predictions", "x=y"], "there is no directory y"),
    ],
)
def test_wrong_input(arguments, message, trained, refuses):
    places = dict(config=trained[0], work=trained[1], out=trained[2])
    refuses(message, *(argument.format(**places) for argument in arguments))
