"""Training samples are read twice before training: what the seed does not reach shows."""

import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from testing.random_transforms import train_loader, voc_dataset
from testing.utils import tiny_config

from fcn_plugin.checks.run import check_training
from fcn_plugin.checks.seeding import build_loader, check_seeding, same, unseeded_part
from fcn_plugin.utils.config import read_config

OWN, NUMPY = (dict(type="DrawNumber", generator=name) for name in ("own", "numpy"))
FLIP, PACK = dict(type="RandomFlip", prob=0.5), dict(type="PackSegInputs")
LOST = "An interrupted run will not end with the weights that it would have had without the interruption"


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("mmseg")


@pytest.mark.parametrize("steps", [(), (FLIP, NUMPY, PACK), ("StandInAlbu", PACK), ("PhotoMetricDistortion", PACK)])
@pytest.mark.parametrize("sampler", ["SeededInfiniteSampler", "SeededDefaultSampler"])
def test_seeded(steps, sampler, voc):
    assert unseeded_part(build_loader(train_loader(voc_dataset(voc, *steps), sampler))) is None


@pytest.mark.parametrize("sampler", ["InfiniteSampler", "DefaultSampler"])
@pytest.mark.parametrize("step", [FLIP, NUMPY, OWN])
def test_sampler_without_seeds(sampler, step, voc):
    dataset = dict(type="RepeatDataset", times=2, dataset=voc_dataset(voc, step, PACK))
    assert unseeded_part(build_loader(train_loader(dataset, sampler))) == (
        f"{sampler} of train_dataloader gives samples no seed, and their transforms draw random numbers. {LOST}: set"
        " sampler=dict(type='SeededInfiniteSampler'), or 'SeededDefaultSampler' for epochs"
    )
    settings = train_loader(dataset, sampler, batch_sampler=dict(type="OrientationBatchSampler"))
    assert unseeded_part(build_loader(settings)).startswith(f"{sampler} of train_dataloader gives samples no seed")


def test_without_batches(voc):
    """PyTorch then reads sample by sample, unseeded."""
    seeded = build_loader(train_loader(voc_dataset(voc, NUMPY, PACK), batch_size=None))
    assert "PascalVOCDataset of train_dataloader draws random numbers" in unseeded_part(seeded)


def test_nothing_random(voc):
    """Then a sampler without seeds is right."""
    assert unseeded_part(build_loader(train_loader(voc_dataset(voc, PACK), "InfiniteSampler"))) is None


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        (lambda voc: voc_dataset(voc, FLIP, OWN, PACK), "DrawNumber"),
        (lambda voc: voc_dataset(voc, dict(type="RandomApply", transforms=[OWN], prob=1.0)), "RandomApply"),
        (lambda voc: dict(type="RepeatDataset", times=2, dataset=voc_dataset(voc, NUMPY, OWN)), "DrawNumber"),
        (lambda voc: voc_dataset(voc, NUMPY, kind="DrawingDataset"), "DrawingDataset"),
    ],
    ids=["step", "nested", "wrapped", "dataset"],
)
def test_generators_that_are_not_reached(dataset, name, voc):
    assert unseeded_part(build_loader(train_loader(dataset(voc)))) == (
        f"{name} of train_dataloader draws random numbers that the seed of a sample does not reach. {LOST}: draw from"
        " Python's, numpy's or torch's default generator, or give it a method set_random_seed(seed)"
    )


def configs(voc, *steps: dict, **settings) -> list[Config]:
    """Two stages with the same data."""
    loader = train_loader(voc_dataset(voc, *steps), **settings)
    return [Config(dict(train_dataloader=loader, randomness=dict(seed=0))) for _ in range(2)]


def state() -> tuple:
    return random.getstate()[1][:5], np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


def test_warned_of_once(voc, monkeypatch):
    warnings, before = [], state()
    monkeypatch.setattr("fcn_plugin.checks.seeding.print_log", lambda text, **kwargs: warnings.append(text))
    check_seeding(configs(voc, FLIP))
    assert not warnings
    workers = dict(num_workers=2, persistent_workers=True, prefetch_factor=4)  # not started
    check_seeding(configs(voc, OWN, **workers))
    (warning,) = warnings
    assert warning.startswith("DrawNumber of train_dataloader draws random numbers that")
    assert state() == before  # a run without a seed draws it from them


@pytest.mark.parametrize("randomness", [None, dict(deterministic=True)])
def test_run_without_a_seed(randomness, voc, monkeypatch):
    warnings, cfgs = [], configs(voc, FLIP)
    monkeypatch.setattr("fcn_plugin.checks.seeding.print_log", lambda text, **kwargs: warnings.append(text))
    for cfg in cfgs:
        cfg.randomness = randomness
    check_seeding(cfgs)
    assert warnings == [
        f"the run has no seed: after a stop, samples come in another order. {LOST}: set randomness.seed"
    ]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([dict(type="Resize")], r"^train_dataloader cannot be built: "),
        (
            [dict(type="RandomMosaic", prob=1.0)],
            r"^train_dataloader cannot read its sample \d: RandomMosaic ends with AssertionError$",
        ),
        (
            [dict(type="RandomApply", transforms=[dict(type="Albu2")])],
            r"^train_dataloader cannot be built: .*Albu2 is not in the mm",
        ),
        (
            [PACK, FLIP],
            r"^train_dataloader cannot read its sample \d: RandomFlip ends with KeyError: 'img'$",
        ),
    ],
)
def test_what_cannot_be_read(steps, message, voc):
    with pytest.raises(ValueError, match=message):
        check_seeding(configs(voc, *steps))


def test_part_of_the_check_of_a_training(voc, tmp_path, monkeypatch):
    warnings = []
    monkeypatch.setattr("fcn_plugin.checks.seeding.print_log", lambda text, **kwargs: warnings.append(text))
    stages = [read_config(tiny_config(tmp_path, voc, f"{name}_vgg16_voc")) for name in ("fcn32s", "fcn16s")]
    for cfg in stages:
        cfg.train_dataloader.dataset.pipeline.insert(2, OWN)
    check_training(stages, [()] * 2, samples=False)
    assert not warnings
    check_training(stages, [()] * 2)
    assert len(warnings) == 1
    stages[0].load_from = "gone.pth"  # told first
    stages[1].train_dataloader.dataset.pipeline.append(FLIP)
    with pytest.raises(FileNotFoundError, match="gone.pth"):
        check_training(stages, [()] * 2)


def sample(**changes) -> dict:
    values = dict(pixels=np.arange(4.0), labels=torch.arange(4), size=(2, 2), note=None)
    values.update(changes)
    labels = PixelData(data=values.pop("labels")[None, None])
    return dict(values, data_samples=SegDataSample(gt_sem_seg=labels, metainfo=dict(size=values["size"])))


def test_same():
    nan = np.array([0, np.nan])
    assert same(sample(), sample()) and same([nan], [nan.copy()])
    assert same(torch.from_numpy(nan), torch.from_numpy(nan.copy())) and same(object(), object())
    for changes in (
        dict(pixels=np.arange(1.0, 5.0)),
        dict(pixels=np.arange(4.0).reshape(2, 2)),
        dict(labels=torch.arange(5)),
        dict(labels=torch.tensor([0, 1, 2, 4])),
        dict(size=(2, 3)),
        dict(size=(2, 2, 1)),
        dict(note="a"),
        dict(more=1),
    ):
        assert not same(sample(), sample(**changes)), changes
