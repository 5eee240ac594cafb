from pathlib import Path

import pytest
from mmengine.config import Config

from fcn_plugin import config_dir
from fcn_plugin.engine.hooks import CheckpointCheckHook, IterationSeedHook
from fcn_plugin.engine.stages import Stage, plan_stages, stages_to_train


def fcn8s(**options):
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_voc.py")
    cfg.merge_from_dict(options)
    return cfg


def test_stages_count_iterations(tmp_path):
    cfg = fcn8s(work_dir=str(tmp_path))
    cfg.train_cfg = dict(by_epoch=True, max_epochs=3)
    with pytest.raises(ValueError, match="counts epochs, and stages are trained by an IterBasedTrainLoop"):
        plan_stages(cfg)


@pytest.mark.parametrize(
    "iterations, expected",
    [
        ([None, None, None], [0, 1, 2]),
        ([2, None, None], [1, 2]),
        ([2, 1, None], [1, 2]),
        ([None, 1, None], [1, 2]),
        ([None, 2, None], [2]),
        ([None, None, 2], []),
    ],
)
def test_stages_to_train(iterations, expected):
    """Of two iterations each; one that has begun, or is done, needs none before it."""
    stages = [Stage(fcn8s(**{"train_cfg.max_iters": 2})) for _ in iterations]
    for stage, done in zip(stages, iterations):
        stage.checkpoint, stage.iteration = (None, 0) if done is None else (Path(f"iter_{done}.pth"), done)
    assert stages_to_train(stages) == [stages[i] for i in expected]


def test_options_reach_all_stages(tmp_path):
    """Those that a merged config tells; not where and how it was started."""
    cfg = fcn8s(**{"optim_wrapper.optimizer.lr": 0.5, "train_cfg.max_iters": 7, "custom_hooks.0.may_differ": ["head"]})
    cfg.update(work_dir=str(tmp_path), launcher="none", resume=True)
    stages = plan_stages(cfg)
    assert [stage.name for stage in stages] == [f"fcn{number}s_vgg16_voc" for number in (32, 16, 8)]
    for stage in stages:
        assert stage.max_iters == 7 and stage.cfg.optim_wrapper.optimizer.lr == 0.5
        assert stage.may_differ == ("head",)
    assert [stage.cfg.work_dir for stage in stages] == [
        *(str(tmp_path / stage.name) for stage in stages[:2]),
        str(tmp_path),
    ]
    assert [stage.cfg.get("resume") for stage in stages] == [False, False, True]
    assert [head.model.decode_head.type for head in (stage.cfg for stage in stages)] == [
        f"FCN{number}sHead" for number in (32, 16, 8)
    ]


@pytest.mark.parametrize(
    "hooks, expected",
    [
        (None, ()),
        ([dict(type="EMAHook")], ()),
        ([dict(type="EMAHook"), dict(type="WeightHandoverHook", may_differ=["a"])], ("a",)),
        ([dict(type="mmengine.CheckpointCheckHook", may_differ=["a"])], ("a",)),
        ([dict(type=CheckpointCheckHook, may_differ=["a"])], ("a",)),
        ([IterationSeedHook(), CheckpointCheckHook(["a"])], ("a",)),
    ],
)
def test_what_may_differ(hooks, expected):
    assert Stage(Config(dict(custom_hooks=hooks))).may_differ == expected
