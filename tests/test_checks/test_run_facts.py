"""The facts of a training: what counts as a change, and what does not."""

import shutil

import pytest
from mmengine.config import Config
from mmseg.datasets import PascalVOCDataset
from testing.utils import tiny_config

from fcn_plugin.checks.resume import Change, changes_since, check_class_order
from fcn_plugin.checks.run_facts import differences, run_facts


@pytest.fixture(scope="module")
def config(tmp_path_factory, voc) -> Config:
    """FCN-32s with a momentum, 4 iterations, a fixed rate."""
    return Config.fromfile(tiny_config(tmp_path_factory.mktemp("facts"), voc))


def changed(config: Config, **options) -> Config:
    cfg = Config(config.to_dict())
    cfg.merge_from_dict(options)
    return cfg


def changes(before: Config, after: Config) -> list[Change]:
    return changes_since(dict(meta=dict(run=run_facts(before)), optimizer={}), after)


POLY = dict(type="PolyLR", by_epoch=False)
TRAIN_SET = "train_dataloader.dataset"


@pytest.mark.parametrize(
    "options",
    [
        {"train_cfg.max_iters": 8},  # there is no schedule
        {"train_cfg.val_interval": 1, "default_hooks.checkpoint.interval": 1, "val_dataloader.batch_size": 2},
        {"train_dataloader.num_workers": 3, "train_dataloader.persistent_workers": True},
        {"model.pretrained": "a", "model.test_cfg": dict(mode="slide")},
        {"optim_wrapper.optimizer.fused": False},
        {
            "optim_wrapper.optimizer.type": "mmengine.SGD",
            "train_dataloader.sampler.type": "mmengine.SeededInfiniteSampler",
        },
        {"load_from": "a", "resume": True, "work_dir": "b", "launcher": "none"},
    ],
)
def test_no_change(config, options):
    assert changes(config, changed(config, **options)) == []


def test_data_may_move(config, voc, tmp_path):
    shutil.copytree(voc, tmp_path / "moved")
    assert changes(config, changed(config, **{f"{TRAIN_SET}.data_root": str(tmp_path / "moved")})) == []


@pytest.mark.parametrize(
    "before, after, expected",
    [
        ({"param_scheduler": [POLY]}, {"train_cfg.max_iters": 8}, ["param_scheduler.0.end: 4 then, 8 now"]),
        ({"param_scheduler": POLY}, {"train_cfg.max_iters": 3}, ["param_scheduler.0.end: 4 then, 3 now"]),
        ({"param_scheduler": [dict(POLY, end=4)]}, {"train_cfg.max_iters": 8}, ["training: 4, where"]),
        ({"param_scheduler": [dict(POLY, end=3)]}, {"train_cfg.max_iters": 8}, ["training: 4, where"]),
        ({"param_scheduler": [dict(POLY, end=8)]}, {"train_cfg.max_iters": 8}, []),
        ({}, {"param_scheduler": [POLY]}, ["param_scheduler: [] then, [{'end': 4, "]),
        ({}, {"optim_wrapper.optimizer.momentum": 0.5}, ["optim_wrapper.optimizer.momentum: 0.99 then, 0.5 now"]),
        ({}, {"optim_wrapper.paramwise_cfg.bias_lr_mult": 1.0}, ["optim_wrapper.paramwise_cfg.bias_lr_mult: 2.0 then"]),
        ({}, {"auto_scale_lr": dict(enable=True)}, ["auto_scale_lr: not set then, {'enable': True} now"]),
        ({}, {"optim_wrapper.type": "AmpOptimWrapper"}, ["precision: float32 then, float16 now"]),
        ({}, {"optim_wrapper.type": "BF16OptimWrapper"}, ["precision: float32 then, bfloat16 now"]),
        ({}, {f"{TRAIN_SET}.reduce_zero_label": True}, ["data.reduce_zero_label: False then, True now"]),
        ({}, {f"{TRAIN_SET}.ann_file": "ImageSets/Segmentation/val.txt"}, ["data.pictures: 4 ("]),
        ({}, {f"{TRAIN_SET}.indices": 3}, ["data.pictures: 4 ("]),
        ({}, {f"{TRAIN_SET}.data_prefix.seg_map_path": "JPEGImages"}, ["data.pictures: 4 ("]),
        ({}, {"model.neck.dropout_ratio": 0.1}, ["model.neck.dropout_ratio: not set then, 0.1 now"]),
    ],
)
def test_changes(config, before, after, expected):
    found = list(map(str, changes(changed(config, **before), changed(config, **{**before, **after}))))
    assert len(found) == len(expected) and all(text.startswith(start) for text, start in zip(found, expected)), found


def test_wrapped_data(config):
    plain = config.train_dataloader.dataset.to_dict()
    repeated = Config(config.to_dict())
    repeated.train_dataloader.dataset = dict(type="RepeatDataset", times=2, dataset=plain)
    again = Config(repeated.to_dict())
    again.train_dataloader.dataset.times = 3
    assert list(map(str, changes(repeated, again))) == ["data.times: 2 then, 3 now"]
    again.train_dataloader.dataset = dict(type="ConcatDataset", datasets=[plain, plain])
    assert [change.setting for change in changes(repeated, again)][0] == "data.times"


def test_rates(config):
    """Those that make the schedule begin anew."""
    after = {"optim_wrapper.optimizer.lr": 1.0, "train_dataloader.batch_size": 2, "randomness.seed": 4}
    found = {change.setting: change.of_rates for change in changes(config, changed(config, **after))}
    assert found == {
        "train_dataloader.batch_size": True,
        "optim_wrapper.optimizer.lr": True,
        "randomness.seed": False,
    }


def test_a_seed_of_its_own(config):
    """Drawn at the start of a run; one that goes on takes it from the checkpoint."""
    facts = {**run_facts(config), "randomness.seed": 12345}
    assert changes_since(dict(meta=dict(run=facts), optimizer={}), changed(config, **{"randomness.seed": None})) == []


def test_differences_of_lists():
    assert list(differences([1, 2], [2, 1], "a")) == [("a", [1, 2], [2, 1])]
    assert list(differences([dict(b=1), dict(c=2)], [dict(b=1), dict(c=3)], "a")) == [("a.1.c", 2, 3)]
    assert list(differences([dict(b=1)], [], "a")) == [("a", [dict(b=1)], [])]


@pytest.mark.parametrize(
    "change, outcome",
    [
        (lambda names: names, None),
        (lambda names: names[:-1], None),  # the weights do not fit
        (lambda names: [*names[:-1], "monitor"], "20 'monitor' then, 'tvmonitor' now"),
        (lambda names: names[::-1], ValueError),
        (lambda names: None, None),
    ],
)
def test_order_of_classes(config, change, outcome):
    classes = change(list(PascalVOCDataset.METAINFO["classes"]))
    if outcome is ValueError:
        message = (
            r"a.pth was trained with the classes in another order \(0 'tvmonitor' then, 'background' now; .*, \.\.\.\)"
        )
        with pytest.raises(ValueError, match=message.replace("; ", ", ")):
            check_class_order(classes, config, "val_dataloader", "a.pth")
    else:
        warning = check_class_order(classes, config, "val_dataloader", "a.pth")
        assert warning == outcome or outcome in warning
