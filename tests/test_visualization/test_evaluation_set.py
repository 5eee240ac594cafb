import copy

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from testing.three_pictures import CLASSES, PALETTE, PICTURES, write_indices
from testing.utils import IMAGE_SIZE

from fcn_plugin import config_dir
from fcn_plugin.datasets.transforms import LoadLabels
from fcn_plugin.utils.config import set_data_root
from fcn_plugin.visualization.evaluation_set import EvaluationSet


def test_images_labels_and_predictions(cfg, root):
    data = EvaluationSet(cfg)
    assert (data.names, len(data), data.classes, data.palette) == (["a", "b", "c"], 3, CLASSES, PALETTE)
    for index, name in enumerate("abc"):
        assert data.label(index).tolist() == PICTURES["SegmentationClass"][name]
        assert data.prediction(index, root / "model").tolist() == PICTURES["model"][name]
    assert data.image(0).dtype == np.uint8 and data.image(0).shape == (2, 3, 3)
    assert [data.image(index)[1, 2].argmax() for index in range(3)] == [0, 2, 1]  # red, blue, green: RGB


@pytest.mark.parametrize("split", ["val", "test"])
def test_shipped_config(split, voc):
    """The dataset and the transforms of a config of the package."""
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_camvid.py")
    set_data_root(cfg, str(voc))
    data = EvaluationSet(cfg, split)
    assert data.names == ["image4", "image5"] and len(data.classes) == 11
    assert np.array_equal(data.label(1), np.array(Image.open(voc / "SegmentationClass/image5.png")))
    assert data.image(1).shape == (*IMAGE_SIZE, 3)


def test_labels_as_the_pipeline_reads_them(cfg, root):
    """After a change of size, from colours, without the class 0: at native size, in the indices of the predictions."""
    colours = np.array([*PALETTE, [1, 1, 1]], np.uint8)[[[0, 1, 4], [3, 2, 0]]]
    Image.fromarray(colours).save(root / "SegmentationClass/a.png")
    resize = dict(type="Resize", scale=(9, 9), keep_ratio=False)
    cfg.val_dataloader.dataset.pipeline[1:2] = [resize, dict(type=LoadLabels, palette=PALETTE)]
    assert EvaluationSet(cfg).label(0).tolist() == [[0, 1, 255], [3, 2, 0]]
    assert EvaluationSet(cfg).image(0).shape == (2, 3, 3)
    cfg.val_dataloader.dataset.reduce_zero_label = True
    write_indices(root / "SegmentationClass/a.png", [[0, 1, 2], [3, 4, 255]])
    write_indices(root / "model/a.png", [[1, 1, 2], [3, 4, 4]])
    data = EvaluationSet(cfg)
    assert data.label(0).tolist() == [[255, 0, 1], [2, 3, 255]]
    assert data.prediction(0, root / "model").tolist() == [[0, 0, 1], [2, 3, 3]]


def test_several_lists(cfg, root):
    part = cfg.val_dataloader.dataset
    for name, images in (("one", "c\n"), ("two", "a\nb\n")):
        (root / f"{name}.txt").write_text(images)
    both = [{**part, "ann_file": f"{name}.txt"} for name in ("one", "two")]
    cfg.val_dataloader.dataset = dict(type="ConcatDataset", datasets=both)
    data = EvaluationSet(cfg)
    assert data.names == ["c", "a", "b"] and data.label(2).tolist() == PICTURES["SegmentationClass"]["b"]
    two = EvaluationSet(Config(dict(val_dataloader=dict(dataset=dict(type="ConcatDataset", datasets=both[1:])))))
    assert two.names == ["a", "b"]
    cfg.val_dataloader.dataset = dict(type="ConcatDataset", datasets=[both[0], both[0]])
    with pytest.raises(ValueError, match=r"several images of the same name \(c\)"):
        EvaluationSet(cfg)
    other = copy.deepcopy(both[1])
    other["metainfo"] = dict(classes=["x", "y"], palette=PALETTE[:2])
    cfg.val_dataloader.dataset = dict(type="ConcatDataset", datasets=[both[0], other])
    with pytest.raises(ValueError, match="the data sets of val_dataloader differ in their classes"):
        EvaluationSet(cfg)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(ann_file="empty.txt"), "val_dataloader has no images"),
        (dict(data_prefix=dict(img_path="JPEGImages")), "has images without labels: .*a.jpg"),
        (dict(type="MultiImageMixDataset"), "is no BaseSegDataset: its labels are not known"),
        (dict(ann_file="missing.txt"), "val_dataloader"),
    ],
)
def test_wrong_data(cfg, root, change, message):
    (root / "empty.txt").touch()
    cfg.val_dataloader.dataset.update(change)
    if "data_prefix" in change:
        cfg.val_dataloader.dataset.data_prefix = Config(change).data_prefix
    with pytest.raises(ValueError, match=message):
        EvaluationSet(cfg)


def test_no_such_split(cfg):
    with pytest.raises(ValueError, match="the config has no test_dataloader"):
        EvaluationSet(cfg, "test")


def test_missing_predictions(cfg, root):
    data = EvaluationSet(cfg)
    data.check_predictions({"model": root / "model"})
    (root / "model/a.png").unlink()
    (root / "model/c.png").unlink()
    message = r"model has no prediction for 2 of 3 images \(a.png, c.png\): write them with tools/test.py --out"
    with pytest.raises(FileNotFoundError, match=message):
        data.check_predictions({"truth": root / "truth", "model": root / "model"})
