"""What tools/test.py writes: predictions and painted pictures of images in folders, with labels and without."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from testing.inference_files import files_below, index_png, write_weights
from testing.utils import IMAGE_SIZE, run_tool, tiny_config

from fcn_plugin.apis.inference.predictor import Predictor

CLASSES, SHIFT = 11, 1  # reduce_zero_label: the files have the first class as 1
NAMES = ["bonn/image4", "bonn/image5", "ulm/image4"]
UNLABELLED = """
test_dataloader = dict(dataset=dict(data_prefix=dict(_delete_=True, img_path='cities'PREFIX), pipeline=PIPELINE))
test_evaluator = [dict(type='FCNMetric', format_only=True)]
"""


@pytest.fixture(scope="module")
def cities(tmp_path_factory, voc) -> Path:
    """Images of the same name in two folders, with labels whose first class is 1, a config for them, and weights."""
    root = tmp_path_factory.mktemp("cities")
    for name in NAMES:
        for kind, source in (("cities", "JPEGImages"), ("labels", "SegmentationClass")):
            suffix = ".jpg" if kind == "cities" else ".png"
            (root / kind / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(voc / "camvid" / source / f"{Path(name).name}{suffix}", root / kind / f"{name}{suffix}")
    with Image.open(root / "cities/ulm/image4.jpg") as image:
        image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(root / "cities/ulm/image4.jpg")
    prefix = dict(_delete_=True, img_path="cities", seg_map_path="labels")
    meta = dict(classes=[f"c{i}" for i in range(CLASSES)], palette=[[20 * i, 0, 255 - i] for i in range(CLASSES)])
    kind = dict(type="BaseSegDataset", ann_file="", data_prefix=prefix, metainfo=meta, reduce_zero_label=True)
    settings = {"model.decode_head.num_classes": CLASSES, "precision": "float32", "test_dataloader.batch_size": 2}
    dataset = {f"test_dataloader.dataset.{key}": value for key, value in kind.items()}
    config = tiny_config(root, root, "fcn8s_vgg16_voc", name="cities", **settings, **dataset)
    write_weights(config, root / "weights.pth", {})
    return root


def expected_labels(cities: Path, name: str, tta: bool = False) -> np.ndarray:
    predictor = Predictor.from_files(str(cities / "cities.py"), str(cities / "weights.pth"), device="cpu", tta=tta)
    return predictor.predict([predictor.read(cities / f"cities/{name}.jpg")])[0]


def test_images_in_folders(cities, tmp_path):
    """Each under its own name, in whole batches, with the indices of the labels' files and the colours of the data."""
    options = ("--out", tmp_path / "out", "--show-dir", tmp_path / "painted", "--work-dir", tmp_path / "work")
    run_tool("test.py", cities / "cities.py", cities / "weights.pth", *options, cwd=tmp_path).check()
    for folder in ("out", "painted"):
        assert files_below(tmp_path / folder) == {f"{name}.png" for name in NAMES}
    pictures = []
    for name in NAMES:
        indices, palette = index_png(tmp_path / f"out/{name}.png")
        labels = expected_labels(cities, name)
        assert np.array_equal(indices, labels + SHIFT) and len(np.unique(labels)) > 1
        assert palette[SHIFT:4] == [[20 * i, 0, 255 - i] for i in range(3)]
        with Image.open(tmp_path / f"painted/{name}.png") as painted:
            assert painted.size == (2 * IMAGE_SIZE[1], IMAGE_SIZE[0])  # label and prediction
            pictures.append(painted.tobytes())
    assert len(set(pictures)) == len(NAMES)


IMAGE, LABELS, PACK = (f"dict(type={kind!r})" for kind in ("LoadImageFromFile", "LoadAnnotations", "PackSegInputs"))


@pytest.mark.parametrize(
    "prefix, pipeline",
    [("", f"[{IMAGE}, {PACK}]"), (", seg_map_path='nowhere'", f"[{IMAGE}, {LABELS}, {PACK}]")],
    ids=["none", "missing"],
)
def test_images_without_labels(prefix, pipeline, cities, tmp_path):
    """Predictions and painted pictures, without figures; labels that the pipeline asks for are not missed."""
    config = tmp_path / "unlabelled.py"
    text = UNLABELLED.replace("PREFIX", prefix).replace("PIPELINE", pipeline)
    config.write_text(f"_base_ = {str(cities / 'cities.py')!r}{text}")
    options = ("--out", tmp_path / "out", "--show-dir", tmp_path / "painted", "--work-dir", tmp_path / "work", "--tta")
    outcome = run_tool("test.py", config, cities / "weights.pth", *options, cwd=tmp_path).check()
    assert "aAcc" not in outcome.stdout and f"the predictions are in {tmp_path / 'out'}" in outcome.stdout
    assert files_below(tmp_path / "out") == files_below(tmp_path / "painted") == {f"{name}.png" for name in NAMES}
    indices, _ = index_png(tmp_path / f"out/{NAMES[0]}.png")
    assert np.array_equal(indices, expected_labels(cities, NAMES[0], tta=True) + SHIFT)
    with Image.open(tmp_path / f"painted/{NAMES[0]}.png") as painted:
        assert painted.size == IMAGE_SIZE[::-1]
