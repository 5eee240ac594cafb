"""Predictions that cannot be made, written or compared."""

import cv2
import numpy as np
from PIL import Image

from .case import VAL, Bad, Folder

TEST = "test config.py {checkpoint} --data-root data --work-dir work"
PREDICT = "predict data/JPEGImages config.py {checkpoint} --out out"
EXPORT = "export config.py {checkpoint} --out net.pt2"
COMPARE = "compare config.py --data-root data --out out predicted"
TWO_PLACES = """
part = dict(type='ShapesDataset', data_root='data', ann_file='names.txt', pipeline=_base_.test_pipeline,
  data_prefix=dict(img_path='one', seg_map_path='SegmentationClass'))
other = dict(part, data_prefix=dict(img_path='two', seg_map_path='SegmentationClass'))
"""
BOTH = TWO_PLACES + "test_dataloader = dict(dataset=dict(_delete_=True, type='ConcatDataset', datasets=[part, other]))"
INSIDE = (
    TWO_PLACES
    + "test_dataloader = dict(dataset=dict(part, _delete_=True, ann_file='', data_prefix=dict(img_path='cities')))\n"
    + "test_evaluator = dict(type='IoUMetric', format_only=True)"
)


def two_places(folder: Folder) -> None:
    (folder.data / "names.txt").write_text("val_00000\n")
    content = folder.image("val_00000").read_bytes()
    for place in ("one", "two", "cities/one", "cities/two"):
        (folder.data / place).mkdir(parents=True)
        (folder.data / place / "val_00000.jpg").write_bytes(content)


def out_file(folder: Folder) -> None:
    (folder.path / "out").touch()


def float_picture(folder: Folder) -> None:
    cv2.imwrite(str(folder.path / "float.tif"), np.zeros((8, 8, 3), np.float32))


def two_kinds(folder: Folder) -> None:
    for suffix in ("png", "jpg"):
        Image.new("RGB", (8, 8)).save(folder.path / f"same.{suffix}")


def predicted(change=lambda indices: indices, size=(80, 64)):
    def prepare(folder: Folder) -> None:
        (folder.path / "predicted").mkdir()
        for name in (folder.data / VAL).read_text().split():
            indices = change(np.ones(size[::-1], np.uint8))
            Image.fromarray(indices).save(folder.path / f"predicted/{name}.png")

    return prepare


TABLE = [
    Bad("test-out-file", "out is no directory; give another directory", command=f"{TEST} --out out", prepare=out_file),
    Bad(
        "test-show-dir-file",
        "out is no directory; give another directory",
        command=f"{TEST} --show-dir out",
        prepare=out_file,
    ),
    Bad(
        "test-overwrites",
        ("data/one/val_00000.jpg and data/two/val_00000.jpg would overwrite each other (val_00000)", "test them apart"),
        config=BOTH,
        command=f"{TEST} --out out",
        prepare=two_places,
    ),
    Bad(
        "paint-overwrites",
        "data/one/val_00000.jpg and data/two/val_00000.jpg would overwrite each other",
        config=BOTH,
        command=f"{TEST} --show-dir out",
        prepare=two_places,
    ),
    Bad(
        "toolbox-metric-overwrites",
        "would overwrite each other: set test_evaluator.type=FCNMetric, which keeps the folders",
        config=INSIDE,
        command=f"{TEST} --out out",
        prepare=two_places,
    ),
    Bad(
        "no-metric-that-writes",
        "no metric of test_evaluator can write predictions to --out",
        config="test_evaluator = []",
        command=f"{TEST} --out out",
    ),
    Bad("test-tta", "has no test-time augmentation", config="tta_pipeline = None", command=f"{TEST} --tta"),
    Bad(
        "test-tta-sigmoid",
        "takes the sigmoid of a single score (decode_head.out_channels=1) twice: set tta_model.type=MeanTTAModel",
        options="model.decode_head.out_channels=1 tta_model.type=SegTTAModel",
        command=f"{TEST} --tta",
    ),
    Bad("predict-tta", "has no test-time augmentation", config="tta_model = None", command=f"{PREDICT} --tta"),
    Bad(
        "predict-loader",
        "the test pipeline begins with PackSegInputs, expected LoadImageFromFile",
        config="test_dataloader = dict(dataset=dict(pipeline=[dict(type='PackSegInputs')]))",
        command=PREDICT,
    ),
    Bad(
        "predict-float",
        "1 of 1 could not be predicted: float.tif",
        command=PREDICT.replace("data/JPEGImages", "float.tif"),
        prepare=float_picture,
    ),
    Bad(
        "predict-nothing",
        "there is no picture, video or folder gone",
        command=PREDICT.replace("data/JPEGImages", "gone"),
    ),
    Bad(
        "predict-same-name",
        "would overwrite each other (same)",
        command=PREDICT.replace("data/JPEGImages", "same.png same.jpg"),
        prepare=two_kinds,
    ),
    Bad(
        "predict-order",
        "expected pictures first, then the config",
        command="predict config.py {checkpoint} x --out out",
    ),
    Bad("predict-batch", "the batch size must be at least 1, got 0", command=f"{PREDICT} --batch-size 0"),
    Bad("predict-opacity", "the opacity must be from 0", command=f"{PREDICT} --opacity 2"),
    Bad("predict-nothing-wanted", "there is nothing to write", command=f"{PREDICT} --no-overlay --no-png"),
    Bad(
        "predict-class",
        "there is no class 'rectangel' among background, ",
        command=f"{PREDICT} --save probabilities --classes rectangel",
    ),
    Bad("predict-png-of-logits", "PNGs hold no logits of float16", command=f"{PREDICT} --save logits --format png"),
    Bad("predict-tile", "must be a multiple of the network's stride 32, got 100", command=f"{PREDICT} --tile 100"),
    Bad(
        "predict-resized-windows",
        "the step Resize of the test pipeline needs the whole picture",
        config="test_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile'),"
        " dict(type='Resize', scale=(64, 64)), dict(type='PackSegInputs')]))",
        command=f"{PREDICT.replace('data/JPEGImages', 'float.tif')} --tile 64",
        prepare=float_picture,
    ),
    Bad("predict-palette", "ADE20KDataset has 150 classes, the model 6", command=f"{PREDICT} --palette ADE20KDataset"),
    Bad("predict-out-file", "out is no directory; give another directory", command=PREDICT, prepare=out_file),
    Bad("export-suffix", "must end in .onnx or .pt2, got net.pth", command=EXPORT.replace("pt2", "pth")),
    Bad("export-opset", "an opset is for .onnx files", command=f"{EXPORT} --opset 18"),
    Bad("export-small", "is exported at more than 64 pixels", command=f"{EXPORT} --shape 32 32"),
    Bad(
        "export-slide",
        "the config tests it in mode 'slide'",
        command=EXPORT,
        options="model.test_cfg.mode=slide model.test_cfg.crop_size=(32,32) model.test_cfg.stride=(32,32)",
    ),
    Bad("export-tiles", "tests it in mode 'tiles'", command=EXPORT, options="model.test_cfg.mode=tiles"),
    Bad(
        "predict-tile-of-settings",
        "got 100: set it to 96 or 128",
        command=PREDICT,
        options="model.test_cfg.mode=tiles model.test_cfg.tile=100",
    ),
    Bad(
        "browse-number",
        "the number of pictures must be at least 1",
        command="browse config.py --data-root data --number 0",
    ),
    Bad(
        "browse-split",
        "the config has no test_dataloader",
        config="test_dataloader = None",
        command="browse config.py --data-root data --split test",
    ),
    Bad("compare-nothing", "predicted", command=COMPARE),
    Bad(
        "compare-other-folders",
        "has no prediction for 3 of 3 images (city/val_00000.png",
        command=COMPARE,
        config="val_dataloader = dict(dataset=dict(ann_file='', data_prefix=dict(img_path='Images')))",
        prepare=lambda folder: (
            predicted()(folder),
            (folder.data / "Images/city").mkdir(parents=True),
            [
                folder.image(f"val_0000{i}").rename(folder.data / f"Images/city/val_0000{i}.jpg") and None
                for i in range(3)
            ],
        ),
    ),
    Bad(
        "compare-zero",
        "has the index 0, but the first class of a data set with reduce_zero_label is 1",
        config="val_dataloader = dict(dataset=dict(reduce_zero_label=True))",
        command=COMPARE,
        prepare=predicted(lambda indices: 0 * indices),
    ),
    Bad(
        "compare-colours",
        "val_00000.png is a picture of mode RGB, expected class indices",
        command=COMPARE,
        prepare=predicted(lambda indices: np.dstack([indices] * 3)),
    ),
    Bad(
        "compare-size",
        "val_00000 of predicted: the prediction has (5, 9) pixels",
        command=COMPARE,
        prepare=predicted(size=(9, 5)),
    ),
    Bad(
        "compare-index",
        "val_00000 of predicted: index 6 in the prediction, but the data set has 6 classes",
        command=COMPARE,
        prepare=predicted(lambda indices: 6 * indices),
    ),
    Bad("compare-sort", "there is no model 'b' to sort by", command=f"{COMPARE} --sort b", prepare=predicted()),
    Bad("compare-rows", "the number of rows must be at least 0", command=f"{COMPARE} --rows -1", prepare=predicted()),
    Bad("compare-out-file", "out is there already", command=COMPARE, prepare=out_file),
]
