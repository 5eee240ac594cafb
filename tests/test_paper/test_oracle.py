import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from fcn_plugin.paper.oracle import find_labels, oracle_prediction, oracle_scores

LABEL = [
    [0, 0, 1, 1, 2],
    [0, 1, 1, 255, 2],
    [3, 3, 0, 4, 255],
    [3, 0, 0, 0, 255],
    [1, 1, 2, 5, 4],
]


def write(path: Path, values, palette: bool = False) -> Path:
    picture = Image.fromarray(np.array(values, np.uint8))
    if palette:
        picture.putpalette(bytes(range(256)) * 3)
    picture.save(path)
    return path


def predict(label, factor: int, *args) -> list[list[int]]:
    return oracle_prediction(torch.tensor(label, dtype=torch.uint8), factor, *args).tolist()


def masked(prediction, label) -> list[list[int]]:
    """With the ignored pixels marked, on which nothing depends."""
    return np.where(np.array(label) == 255, 255, prediction).tolist()


@pytest.mark.parametrize(
    "factor, expected",
    [
        (1, LABEL),
        # of equally many the lower: 1 before 2 in the last row; the last column and row have half cells
        (2, [[0, 0, 1, 1, 2], [0, 0, 1, 255, 2], [3, 3, 0, 0, 255], [3, 3, 0, 0, 255], [1, 1, 2, 2, 4]]),
        # the first cell has 0 0 1 1 / 0 1 1 - / 3 3 0 4 / 3 0 0 0, so seven of 0; the last column one of 2 2 - -
        (4, [[0, 0, 0, 0, 2], [0, 0, 0, 255, 2], [0, 0, 0, 0, 255], [0, 0, 0, 0, 255], [1, 1, 1, 1, 4]]),
        # 0 is on seven pixels, 1 on six
        (8, [[0, 0, 0, 0, 0], [0, 0, 0, 255, 0], [0, 0, 0, 0, 255], [0, 0, 0, 0, 255], [0, 0, 0, 0, 0]]),
    ],
)
def test_one_label_a_cell_by_hand(factor, expected):
    assert masked(predict(LABEL, factor), LABEL) == expected


def test_ignored_pixels_have_no_say():
    assert predict([[255, 255, 255, 3]], 4) == [[3] * 4]
    assert predict([[7, 7, 7, 3]], 4, 7) == [[3] * 4]
    assert predict([[255, 255]], 2) == [[255, 255]]


def test_bilinear_by_hand():
    label = [[0, 0, 0, 1, 1, 1]]
    assert predict(label, 2) == [[0, 0, 0, 0, 1, 1]]  # as many of 0 as of 1 in the middle
    # pixels of 0 in the cells: 2 1 0, of 1: 0 1 2; the second pixel of the middle lies a quarter towards the last cell
    assert predict(label, 2, 255, "bilinear") == label


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("factor", [1, 2, 3, 4, 7, 16])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 8), (13, 10)])
def test_against_counting_pixel_by_pixel(size, factor, upsampling):
    random = np.random.default_rng(sum(size) * factor)
    label = random.choice([0, 2, 3, 7, 255], size, p=[0.1, 0.4, 0.2, 0.1, 0.2]).astype(np.uint8)
    label[0, 0] = 2
    cells = [-(-side // factor) for side in size]
    counts = np.zeros((*cells, 8), np.float32)
    for (y, x), value in np.ndenumerate(label):
        if value != 255:
            counts[y // factor, x // factor, value] += 1
    method = cv2.INTER_LINEAR if upsampling == "bilinear" else cv2.INTER_NEAREST
    scores = cv2.resize(counts, (cells[1] * factor, cells[0] * factor), interpolation=method)[: size[0], : size[1]]
    highest, second = np.sort(scores, axis=2)[..., -1], np.sort(scores, axis=2)[..., -2]
    prediction = oracle_prediction(torch.from_numpy(label), factor, 255, upsampling).numpy()
    clear = (highest - second > 1e-4) & (label != 255)
    assert prediction.shape == size and prediction.dtype == np.uint8 and clear.any()
    assert np.array_equal(prediction[clear], scores.argmax(axis=2)[clear])


def test_scores_by_hand(tmp_path):
    files = [
        write(tmp_path / "a.png", [[0, 0, 1, 1], [0, 1, 1, 255]], palette=True),
        write(tmp_path / "b.png", [[4, 4, 4], [0, 0, 4]]),
    ]
    # at 2, a: 0 0 1 1 in both rows, b: cell of 4 4 / 0 0 -> 0, cell of 4 / 4 -> 4
    # class 0: labelled 3 + 2, predicted 4 + 4, both 3 + 2; class 1: labelled 4, predicted 3, both 3;
    # class 4: labelled 4, predicted 2, both 2
    scores = oracle_scores(files, [2, 1])
    assert list(scores) == [2, 1]
    ious = [5 / 8, 3 / 4, 2 / 4]
    assert scores[2].mean_iu == pytest.approx(sum(ious) / 3)
    assert scores[2].class_iu[[0, 1, 4]] == pytest.approx(ious) and np.isnan(scores[2].class_iu).sum() == 256 - 3
    assert scores[2].pixel_accuracy == pytest.approx(10 / 13)
    assert scores[2].frequency_weighted_iu == pytest.approx((5 * ious[0] + 4 * ious[1] + 4 * ious[2]) / 13)
    assert scores[1][:4] == (1, 1, 1, 1)
    assert oracle_scores(files, [2], num_classes=5)[2].mean_iu == scores[2].mean_iu
    # without class 0, b at 2: all 4
    assert oracle_scores(files, [2], ignore_index=0, num_classes=256)[2].class_iu[4] == 1


def test_a_score_per_class_says_more_than_a_label(tmp_path):
    y, x = np.mgrid[:64, :80]
    file = write(tmp_path / "disc.png", np.hypot(y - 30, x - 41) < 21)
    nearest, bilinear = (oracle_scores([file], [4, 8, 16], upsampling=kind) for kind in ("nearest", "bilinear"))
    ceilings = [[scores[factor].mean_iu for factor in (16, 8, 4)] for scores in (nearest, bilinear)]
    assert all(low < high for low, high in zip(*ceilings))
    assert ceilings[0] == sorted(ceilings[0]) and ceilings[1] == sorted(ceilings[1])
    assert 0.5 < ceilings[0][0] and ceilings[1][2] < 1


def test_threads_agree_with_one_file_after_another(tmp_path):
    random = np.random.default_rng(1)
    files = [write(tmp_path / f"{i}.png", random.integers(0, 4, (20, 30))) for i in range(12)]
    together = oracle_scores(files, [3])[3]
    pixels = [oracle_scores([file], [3])[3].pixel_accuracy for file in files]
    assert together.pixel_accuracy == pytest.approx(sum(pixels) / 12)
    assert len(set(pixels)) > 6


def test_labels_are_found(tmp_path):
    for name in ("b", "a", "c"):
        write(tmp_path / f"{name}.png", [[0]])
    (tmp_path / "notes.txt").write_text("c\n\n a \n")
    assert [file.name for file in find_labels(tmp_path)] == ["a.png", "b.png", "c.png"]
    assert find_labels(tmp_path, tmp_path / "notes.txt") == [tmp_path / "c.png", tmp_path / "a.png"]


@pytest.mark.parametrize(
    "directory, names, error, message",
    [
        ("nowhere", None, FileNotFoundError, "there is no directory .*nowhere"),
        ("empty", None, FileNotFoundError, "there are no PNGs in .*empty"),
        ("labels", None, FileNotFoundError, "there is no list .*list.txt"),
        ("labels", "\n", ValueError, "the list .*list.txt is empty"),
        ("labels", "a\nz\n", FileNotFoundError, r"labels does not have z.png of the list .*list.txt"),
        ("labels", "x\na\ny\nz\n", FileNotFoundError, r"labels does not have x.png and 2 more of the list"),
    ],
)
def test_labels_that_are_missing(directory, names, error, message, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "labels").mkdir()
    write(tmp_path / "labels/a.png", [[0]])
    if names is not None:
        (tmp_path / "list.txt").write_text(names)
    with pytest.raises(error, match=message):
        find_labels(tmp_path / directory, tmp_path / "list.txt" if directory == "labels" else None)


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize(
    "spoil, settings, message",
    [
        (lambda path: Image.new("RGB", (4, 4)).save(path), {}, "bad.png is a picture of mode RGB, expected class ind"),
        (lambda path: path.write_text("no picture"), {}, "bad.png cannot be read as an index PNG"),
        (damage, {}, "bad.png cannot be read as an index PNG"),
        (
            lambda path: write(path, [[0, 11]]),
            dict(num_classes=11),
            "bad.png: index 11 in the label, but .* 11 classes",
        ),
        (lambda path: None, dict(factors=[4, 0]), r"each factor .* must be 1 or more, got \[4, 0\]"),
        (lambda path: None, dict(factors=[]), r"each factor .* must be 1 or more, got \[\]"),
        (lambda path: None, dict(num_classes=0), "index PNGs hold 1 to 256 classes, got num_classes=0"),
        (lambda path: None, dict(num_classes=257), "index PNGs hold 1 to 256 classes, got num_classes=257"),
        (lambda path: None, dict(upsampling="cubic"), "upsampling must be one of nearest, bilinear, got 'cubic'"),
        (lambda path: None, dict(files=[]), "no labels were given"),
        (lambda path: None, dict(ignore_index=3), "no pixel of the 2 labels is labelled: all have the ignored index 3"),
    ],
)
def test_wrong_input(spoil, settings, message, tmp_path):
    files = [write(tmp_path / f"{name}.png", np.full((40, 40), 3)) for name in ("good", "bad")]
    spoil(files[1])
    with pytest.raises(ValueError, match=message):
        oracle_scores(**{"files": files, "factors": [2], **settings})


def test_the_number_of_threads_stays(tmp_path):
    before = torch.get_num_threads()
    scores = oracle_scores([write(tmp_path / "a.png", [[0, 1]])], [1])
    assert torch.get_num_threads() == before and math.isclose(scores[1].mean_iu, 1)
