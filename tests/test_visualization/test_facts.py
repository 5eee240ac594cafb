import hashlib

import pytest
from mmengine.config import Config
from testing.run_logs import ENVIRONMENT, train, val, write_session

from fcn_plugin import config_dir
from fcn_plugin.utils.config import set_data_root
from fcn_plugin.visualization.facts import DataList, data_lists, environment, start_of, weights_facts
from fcn_plugin.visualization.run_log import read_run

LISTS = "ImageSets/Segmentation"


def test_data_lists(voc):
    """Counted where they are; the test list is that of the validation."""
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_camvid.py")
    assert data_lists(cfg) == [
        DataList("train", "CamVidDataset", "data/camvid", f"{LISTS}/train.txt", None),
        DataList("val", "CamVidDataset", "data/camvid", f"{LISTS}/val.txt", None),
    ]
    set_data_root(cfg, str(voc))
    assert [entry.images for entry in data_lists(cfg)] == [4, 2]
    cfg.test_dataloader.dataset.ann_file = f"{LISTS}/train.txt"
    assert [(entry.split, entry.images, entry.root) for entry in data_lists(cfg)] == [
        ("train", 4, str(voc)), ("val", 2, str(voc)), ("test", 4, str(voc)),
    ]  # fmt: skip


def test_data_of_several_lists_and_of_none(cfg, root):
    part = cfg.val_dataloader.dataset
    cfg.train_dataloader = dict(dataset=dict(type="RepeatDataset", times=3, dataset={**part, "ann_file": ""}))
    assert data_lists(cfg) == [
        DataList("train", "BaseSegDataset", str(root), "JPEGImages", 3),
        DataList("val", "BaseSegDataset", str(root), "val.txt", 3),
    ]
    assert data_lists(Config(dict())) == []


def test_weights(tmp_path):
    """The checkpoint of the most iterations."""
    write_session(tmp_path, "20260101_000000", [train(1, 1)])
    run = read_run(tmp_path)
    assert weights_facts(run) == {"Started from": "random weights", "Checkpoint": "none in the work directory"}
    for name in ("iter_250.pth", "iter_1000.pth", "best_mIoU_iter_2000.pth", "iter_3000.pth.part"):
        (tmp_path / name).write_text(name)
    assert weights_facts(run) == {
        "Started from": "random weights",
        "Checkpoint": "iter_1000.pth, 13 bytes, 1,000 iterations",
        "SHA-256": hashlib.sha256(b"iter_1000.pth").hexdigest(),
    }


def test_weights_of_a_training_in_epochs(tmp_path):
    write_session(tmp_path, "20260101_000000", [train(1, 1)])
    for name in ("epoch_2.pth", "epoch_10.pth", "epoch_x.pth"):
        (tmp_path / name).write_text(name)
    assert weights_facts(read_run(tmp_path))["Checkpoint"] == "epoch_10.pth, 12 bytes, 10 epochs"


@pytest.mark.parametrize(
    "settings, expected",
    [
        (dict(load_from="a/iter_9.pth"), ["a/iter_9.pth"]),
        (dict(load_from=None, model=dict(backbone=dict(init_cfg=None))), []),
        (dict(), []),
        (
            dict(
                model=dict(
                    backbone=dict(init_cfg=dict(type="Pretrained", checkpoint="x")),
                    neck=dict(init_cfg=dict(checkpoint="y")),
                )
            ),
            ["x", "y"],
        ),
        (dict(model={part: dict(init_cfg=dict(checkpoint="x")) for part in ("backbone", "neck")}), ["x"]),
    ],
)
def test_start(tmp_path, settings, expected):
    """Of the first session: a later one goes on from its own checkpoint."""
    write_session(tmp_path, "20260101_000000", [train(1, 1)], **settings)
    write_session(tmp_path, "20260102_000000", [train(2, 1)], load_from=str(tmp_path / "iter_1.pth"))
    assert start_of(read_run(tmp_path)) == expected


def test_environment(tmp_path):
    records = [train(step, 1, memory=step) for step in (1, 2, 3)] + [val(3, 50)]
    records[1]["time"] = 9.0
    write_session(tmp_path, "20260101_000000", records, log="before\n" + ENVIRONMENT + "    after: this\n")
    assert environment(read_run(tmp_path)) == {
        "sys.platform": "linux",
        "Python": "3.11.7 <main>",
        "PyTorch": "2.13.0",
        "OpenCV": "5.0.0",
        "seed": "7",
        "Time per iteration": "0.500 s (median)",
        "Peak GPU memory": "3 MB",
    }
