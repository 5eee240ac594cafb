import csv

import numpy as np
import pytest
from PIL import Image
from testing.three_pictures import CLASSES, PALETTE, write_indices

from fcn_plugin.visualization.comparison import compare, write_comparison
from fcn_plugin.visualization.evaluation_set import EvaluationSet


@pytest.fixture
def models(root):
    return {"FCN-8s": root / "model", "perfect": root / "truth"}


@pytest.fixture
def compared(cfg, models):
    return compare(EvaluationSet(cfg), models)


def test_counts_by_hand(compared):
    assert compared.confusion["FCN-8s"].tolist() == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 3, 0], [0, 0, 0, 0]]
    assert compared.confusion["perfect"].tolist() == np.diag([3, 2, 4, 0]).tolist()
    assert compared.areas["FCN-8s"].tolist() == [
        [[1, 2, 1, 0], [1, 3, 1, 0], [2, 2, 1, 0]],
        [[1, 0, 2, 0], [2, 0, 2, 0], [1, 0, 3, 0]],
        [[0] * 4] * 3,
    ]


def test_figures_by_hand(compared):
    assert compared.scores("FCN-8s", 0).mean_iu == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert compared.scores("FCN-8s", 1).mean_iu == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert compared.scores("FCN-8s").mean_iu == pytest.approx((2 / 4 + 2 / 3 + 3 / 4) / 3)
    assert compared.scores("FCN-8s").pixel_accuracy == pytest.approx(7 / 9)
    assert compared.scores("perfect").mean_iu == compared.scores("perfect", 1).mean_iu == 1


def test_worst_first(compared):
    """By the last model if no other is named; images without labels are left out, equal ones stay in order."""
    assert compared.worst_first() == compared.worst_first("perfect") == [0, 1]
    assert compared.worst_first("FCN-8s") == [1, 0]
    with pytest.raises(ValueError, match="there is no model 'x' to sort by, only FCN-8s, perfect"):
        compared.worst_first("x")


def test_row(compared):
    axes = compared.row(1).axes
    assert [axis.get_title() for axis in axes] == ["image", "truth", "FCN-8s: mIoU 58.3", "perfect: mIoU 100.0"]
    pictures = [axis.images[0].get_array() for axis in axes]
    white, sky, tree = [255] * 3, PALETTE[0], PALETTE[2]
    assert pictures[0][0, 0].argmax() == 2
    assert pictures[1].tolist() == [[tree, tree, tree], [sky, white, white]]
    assert pictures[2].tolist() == [[tree, sky, tree], [sky, PALETTE[3], PALETTE[1]]]
    assert pictures[3].tolist() == [[tree, tree, tree], [sky, sky, sky]]
    legend = compared.row(1).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [*CLASSES, "ignored"]
    assert [text.get_text() for text in compared.row(0).legends[0].get_texts()] == [*CLASSES[:3], "ignored"]


def test_written(compared, tmp_path):
    files = write_comparison(compared, tmp_path / "out", rows=1, sort="FCN-8s")
    names = ["confusion_FCN-8s.csv", "confusion_FCN-8s.png", "confusion_perfect.csv", "confusion_perfect.png"]
    expected = [tmp_path / "out" / name for name in ("images.csv", *names, "rows/0001_b.png")]
    assert sorted(files) == sorted(expected)
    assert sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file()) == sorted(expected)
    with (tmp_path / "out/images.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["image", "model", "mIoU", "aAcc", *(f"IoU {name}" for name in CLASSES)],
            ["a", "FCN-8s", "72.22", "80.00", "50.00", "66.67", "100.00", ""],
            ["a", "perfect", "100.00", "100.00", "100.00", "100.00", "100.00", ""],
            ["b", "FCN-8s", "58.33", "75.00", "50.00", "", "66.67", ""],
            ["b", "perfect", "100.00", "100.00", "100.00", "", "100.00", ""],
            ["c", "FCN-8s", "", "", "", "", "", ""],
            ["c", "perfect", "", "", "", "", "", ""],
        ]
    with (tmp_path / "out/confusion_FCN-8s.csv").open(newline="", encoding="utf-8") as file:
        counts = [["2", "1", "0", "0"], ["0", "2", "0", "0"], ["1", "0", "3", "0"], ["0", "0", "0", "0"]]
        assert list(csv.reader(file)) == [["truth \\ predicted", *CLASSES], *([n, *r] for n, r in zip(CLASSES, counts))]
    with Image.open(tmp_path / "out/rows/0001_b.png") as picture:
        pixels = np.array(picture.convert("RGB"))
    assert all((pixels == colour).all(-1).sum() > 500 for colour in (PALETTE[0], PALETTE[2], PALETTE[3]))


@pytest.mark.parametrize("rows, number", [(0, 0), (2, 2), (99, 2)])
def test_number_of_rows(compared, tmp_path, rows, number):
    files = write_comparison(compared, tmp_path / "out", rows)
    assert [path.name for path in files if path.parent.name == "rows"] == ["0001_a.png", "0002_b.png"][:number]


@pytest.mark.parametrize(
    "options, error, message",
    [
        (dict(rows=-1), ValueError, "number of rows must be at least 0, got -1"),
        (dict(sort="x"), ValueError, "no model 'x'"),
        (dict(out="full"), FileExistsError, "full is there already: give another --out"),
        (dict(out="file"), FileExistsError, "file is there already"),
    ],
)
def test_nothing_is_written_then(compared, tmp_path, options, error, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/old.png").touch()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error, match=message):
        write_comparison(compared, **{**options, "out": tmp_path / options.get("out", "out")})
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "values, message",
    [
        ([[0, 0, 0]], r"b of FCN-8s: the prediction has \(1, 3\) pixels, the label \(2, 3\)"),
        ([[9, 0, 0], [0, 0, 0]], "b of FCN-8s: index 9 in the prediction, but the data set has 4 classes"),
    ],
)
def test_predictions_that_do_not_fit(cfg, root, models, values, message):
    write_indices(root / "model/b.png", values)
    with pytest.raises(ValueError, match=message):
        compare(EvaluationSet(cfg), models)


def test_no_models(cfg):
    with pytest.raises(ValueError, match="no predictions to compare"):
        compare(EvaluationSet(cfg), {})


def test_progress(cfg, models):
    seen = []
    compare(EvaluationSet(cfg), models, (seen.append(index) or index for index in range(3)))
    assert seen == [0, 1, 2]
