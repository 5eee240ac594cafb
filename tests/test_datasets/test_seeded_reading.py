"""What is random in a sample follows from its seed: a resumed run reads what an uninterrupted one reads."""

import copy
import pickle
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from mmseg.registry import DATASETS
from testing.random_transforms import train_loader, voc_dataset

from fcn_plugin.checks.seeding import same
from fcn_plugin.datasets.seeded_reading import SeededReading, parts_of, read_seeded, seeded_index
from fcn_plugin.utils.seeding import generators_kept, seed_generators

DRAW = [dict(type="DrawNumber", generator=name) for name in ("python", "numpy", "torch")]
STEPS = (dict(type="RandomRotate", prob=0.5, degree=20), *DRAW, "StandInAlbu")
MOSAIC = dict(type="RandomMosaic", prob=1.0, img_scale=(40, 48))


def repeat(dataset: dict, times: int = 2) -> dict:
    return dict(type="RepeatDataset", times=times, dataset=dataset)


def concat(dataset: dict) -> dict:
    return dict(type="ConcatDataset", datasets=[dataset, dataset])


def balanced(dataset: dict) -> dict:
    return dict(type="ClassBalancedDataset", oversample_thr=0.9, dataset=dict(dataset, type="CategorizedVOCDataset"))


def mixed(dataset: dict) -> dict:
    return dict(type="MultiImageMixDataset", dataset=concat(dataset), pipeline=[MOSAIC])


WRAPPERS = {
    "plain": lambda dataset: dataset,
    "repeat": repeat,
    "concat": concat,
    "repeat-concat": lambda dataset: repeat(concat(dataset)),
    "concat-repeat": lambda dataset: concat(repeat(dataset)),
    "balanced": balanced,
    "mixed": mixed,
    "repeat-mixed": lambda dataset: repeat(mixed(dataset)),
}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("mmseg")


def batches(settings: dict, done: int, number: int, state: int) -> list:
    """The batches of a training that goes on behind ``done`` of them, in a process of another random state."""
    seed_generators(state)
    iterator = _InfiniteDataloaderIterator(Runner.build_dataloader(settings, seed=5))
    if done and hasattr(iterator, "skip_iter"):
        iterator.skip_iter(done)
    elif done:  # OpenMMLab's
        for _ in range(done):
            next(iterator)
    return [next(iterator) for _ in range(number)]


def numbers(batch: dict) -> Iterator[float]:
    for image in batch["img"]:
        yield float(image.mean())


@pytest.mark.parametrize("name", WRAPPERS)
def test_resumed(name, voc):
    settings = train_loader(WRAPPERS[name](voc_dataset(voc, *STEPS)))
    whole, resumed = batches(settings, 0, 7, state=1), batches(settings, 3, 4, state=2)
    assert same(whole[3:], resumed)
    seen = [number for batch in whole for number in numbers(batch)]
    assert len(set(seen)) == len(seen) == 14  # no two samples are drawn alike


@pytest.mark.parametrize(
    "settings",
    [
        dict(num_workers=2, persistent_workers=True),
        dict(batch_sampler=dict(type="OrientationBatchSampler")),
        dict(num_workers=1, batch_sampler=dict(type="OrientationBatchSampler")),
        dict(num_batch_per_epoch=20),
    ],
    ids=["workers", "batch-sampler", "batch-sampler-worker", "sliced"],
)
def test_resumed_with_other_loaders(settings, voc):
    settings = train_loader(repeat(concat(voc_dataset(voc, *STEPS))), **settings)
    assert same(batches(settings, 0, 7, state=1)[3:], batches(settings, 3, 4, state=2))


def test_resumed_in_a_later_epoch(voc, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # mmengine's, before it starts an epoch
    settings = train_loader(voc_dataset(voc, *STEPS), "SeededDefaultSampler")
    whole, resumed = batches(settings, 0, 7, state=1), batches(settings, 3, 4, state=2)
    assert same(whole[3:], resumed)
    assert not same(whole[0], whole[2]) and len({number for batch in whole for number in numbers(batch)}) == 14


def test_workers_read_what_one_process_reads(voc):
    settings = train_loader(mixed(voc_dataset(voc, *STEPS)))
    assert same(batches(settings, 0, 4, state=1), batches(dict(settings, num_workers=2), 0, 4, state=2))


def test_without_seeds(voc):
    """What the tests above would see if the sampler gave no seeds."""
    settings = train_loader(voc_dataset(voc, DRAW[1]), sampler="InfiniteSampler")
    assert not same(batches(settings, 0, 1, state=1), batches(settings, 0, 1, state=2))


def test_generators_of_transforms(voc):
    """Found wherever they are, each once, and seeded differently."""
    nested = dict(type="RandomChoice", transforms=[[dict(type="StandInAlbu"), dict(type="StandInAlbu")]])
    dataset = DATASETS.build(repeat(mixed(voc_dataset(voc, nested, "StandInAlbu"))))
    reading = SeededReading(dataset)
    assert len(reading.generators) == 6 and len(set(map(id, reading.generators))) == 6
    reading.seed(3)
    drawn = [generator.generator.random() for generator in reading.generators]
    assert len(set(drawn)) == 6
    reading.seed(3)
    assert [generator.generator.random() for generator in reading.generators] == drawn
    reading.seed(None)
    assert [generator.generator.random() for generator in reading.generators] != drawn


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda dataset: pickle.loads(pickle.dumps(dataset))])
def test_copies(copied, voc):
    """A copy, as a spawned worker process gets it, seeds its own transforms."""
    dataset = DATASETS.build(repeat(voc_dataset(voc, *STEPS)))
    read_seeded(dataset)
    other = copied(dataset)
    assert other.__getitems__.dataset is other and other is not dataset
    (generator,) = other.__getitems__.generators
    assert any(part is generator for part in parts_of(other))
    index = seeded_index(5, 1)
    assert same(other.__getitems__([index]), dataset.__getitems__([index]))


def test_unseeded_indices_draw_on(voc):
    dataset = DATASETS.build(voc_dataset(voc, DRAW[1]))
    read_seeded(dataset)
    seed_generators(4)
    first = dataset.__getitems__([0, 0])
    assert not same(*first)
    seed_generators(4)
    assert same(first, [dataset[0], dataset[0]])


def test_generators_kept():
    def draw() -> tuple:
        return random.random(), np.random.rand(), torch.rand(1).item()

    seed_generators(1)
    expected = draw()
    seed_generators(1)
    with pytest.raises(KeyError), generators_kept():
        seed_generators(2)
        assert draw() != expected
        raise KeyError
    assert draw() == expected
