"""The stream of samples, and the seeds of their transforms."""

import pickle
import random
from itertools import islice

import numpy as np
from testing.utils import skip_on_openmmlab

from fcn_plugin.datasets.seeded_sampler import SeededDefaultSampler, SeededInfiniteSampler, SeedTransforms
from fcn_plugin.utils.seeding import derived_seed

DATASET = range(5)


def take(sampler: SeededInfiniteSampler, number: int) -> list[tuple[int, int]]:
    return [(int(index), index.seed) for index in islice(sampler, number)]


def sampler(monkeypatch=None, rank: int = 0, world_size: int = 1, **kwargs) -> SeededInfiniteSampler:
    if monkeypatch:
        monkeypatch.setattr("mmengine.dataset.sampler.get_dist_info", lambda: (rank, world_size))
    return SeededInfiniteSampler(DATASET, **{"seed": 7, **kwargs})


def test_epochs_are_permutations():
    stream = take(sampler(), 15)
    for epoch in (stream[:5], stream[5:10], stream[10:]):
        assert sorted(index for index, _ in epoch) == list(DATASET)
    assert [seed for _, seed in stream] == [derived_seed(7, position) for position in range(15)]
    assert len({seed for _, seed in stream}) == 15


def test_run_seed():
    assert take(sampler(), 10) == take(sampler(), 10)
    assert take(sampler(), 10) != take(sampler(seed=8), 10)


def test_without_shuffling():
    assert [index for index, _ in take(sampler(shuffle=False), 7)] == [0, 1, 2, 3, 4, 0, 1]


def test_two_processes(monkeypatch):
    """Together they see what one process sees, with the same seeds."""
    first, second = (take(sampler(monkeypatch, rank, 2), 8) for rank in (0, 1))
    together = [sample for pair in zip(first, second) for sample in pair]
    assert together == take(sampler(monkeypatch), 16)


def take_epochs(epochs: int, rank: int = 0, world_size: int = 1, **kwargs) -> list[tuple[int, int]]:
    sampler, taken = SeededDefaultSampler(DATASET, **{"seed": 7, **kwargs}), []
    sampler.rank, sampler.world_size = rank, world_size
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        taken += [(int(index), index.seed) for index in sampler]
    return taken


def test_sampler_of_epochs():
    stream = take_epochs(3)
    for epoch in (stream[:5], stream[5:10], stream[10:]):
        assert sorted(index for index, _ in epoch) == list(DATASET)
    assert [index for index, _ in stream[:5]] != [index for index, _ in stream[5:10]]
    expected = [derived_seed(7, epoch, position) for epoch in range(3) for position in range(5)]
    assert [seed for _, seed in stream] == expected and len(set(expected)) == 15
    assert [index for index, _ in take_epochs(2, shuffle=False)] == [*DATASET, *DATASET]


def test_sampler_of_epochs_in_two_processes():
    alone = take_epochs(2, round_up=False)
    first, second = (take_epochs(2, rank, 2, round_up=False) for rank in (0, 1))
    assert first == [*alone[0:5:2], *alone[5:10:2]] and second == [*alone[1:5:2], *alone[6:10:2]]


def test_resumed():
    """Where the toolbox has the sampler skip what was trained on, the seeds follow."""
    resumed = sampler()
    if not hasattr(resumed, "skip"):  # its mmengine loads and drops the samples instead
        skip_on_openmmlab("a sampler that skips")
    resumed.skip(6)
    assert take(resumed, 5) == take(sampler(), 11)[6:]


def test_workers():
    """The seed travels to the worker processes with the index."""
    index = next(iter(sampler()))
    copy = pickle.loads(pickle.dumps(index))
    assert copy == index and copy.seed == index.seed == derived_seed(7, 0)


def draw(index: int) -> tuple[float, float]:
    results = dict(sample_idx=index)
    assert SeedTransforms()(results) is results
    return random.random(), np.random.rand()


def test_transforms_are_seeded():
    first, second = islice(sampler(), 2)
    values = draw(first)
    assert draw(second) != values
    assert draw(first) == values
    random.seed(first.seed)
    np.random.seed(first.seed)
    assert values == (random.random(), np.random.rand())


def test_unseeded_index():
    random.seed(3)
    expected = random.random()
    random.seed(3)
    SeedTransforms()(dict(sample_idx=0))
    SeedTransforms()(dict())
    assert random.random() == expected
