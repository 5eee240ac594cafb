"""The largest picture is found, and tried as the run will use it."""

import gc
import logging
import random
import weakref

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmseg.registry import MODELS, TRANSFORMS
from PIL import Image
from testing.utils import make_voc, tiny_config

from fcn_plugin.checks import memory
from fcn_plugin.checks.data import check_samples
from fcn_plugin.checks.memory import try_largest
from fcn_plugin.engine.precision import set_precision
from fcn_plugin.engine.staged_runner import StagedRunner
from fcn_plugin.models.segmentors import AlignedEncoderDecoder
from fcn_plugin.utils.config import read_config

NAMES = ("train_dataloader", "val_dataloader")
LIMIT = 64 * 72  #: pixels that :class:`SmallMemory` has place for
SEEN = []


@MODELS.register_module()
class SmallMemory(AlignedEncoderDecoder):
    """Notes what it gets, and has no memory for large batches."""

    error = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    def forward(self, inputs, data_samples=None, mode="tensor"):
        dtype = torch.ones(1, 1).mm(torch.ones(1, 1)).dtype
        SEEN.append((mode, tuple(inputs.shape), torch.is_grad_enabled(), dtype))
        if inputs.shape[0] * inputs.shape[2] * inputs.shape[3] > LIMIT:
            raise self.error
        return super().forward(inputs, data_samples, mode)


@TRANSFORMS.register_module()
class Draws(BaseTransform):
    """Takes numbers from the generators of Python and numpy."""

    def transform(self, results):
        random.random(), np.random.random()
        return results


@pytest.fixture
def cfg(tmp_path, monkeypatch):
    """Images of 48x40, the second one to train on, and the first one to validate on, of 72x64 and 64x56."""
    monkeypatch.setenv("FCN_PLUGIN_CACHE", str(tmp_path / "cache"))
    voc = make_voc(tmp_path / "voc")
    for number, size in ((1, (72, 64)), (4, (64, 56))):
        for path in (voc / f"JPEGImages/image{number}.jpg", voc / f"SegmentationClass/image{number}.png"):
            with Image.open(path) as picture:
                picture.resize(size, Image.Resampling.NEAREST).save(path)
    cfg = read_config(str(tiny_config(tmp_path / "config", voc, **{"model.type": "SmallMemory"})))
    cfg.work_dir = str(tmp_path / "work")
    SEEN.clear()
    return cfg


def test_largest(cfg):
    """Also from the cache."""
    for _ in range(2):
        (largest,) = check_samples([cfg], NAMES)
        found = {
            name: (picture.index, picture.path[-10:], picture.width, picture.height)
            for name, picture in largest.items()
        }
        assert found == dict(train_dataloader=(1, "image1.jpg", 72, 64), val_dataloader=(0, "image4.jpg", 64, 56))


@pytest.mark.parametrize("precision, dtype", [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_trial(precision, dtype, cfg, monkeypatch):
    """A step and a forward pass; nothing of it stays."""
    cfg.precision = precision
    set_precision(cfg)
    cfg.train_dataloader.dataset.pipeline.insert(2, dict(type="Draws"))
    (largest,) = check_samples([cfg], NAMES)
    logged = []
    monkeypatch.setattr(memory, "print_log", lambda text, **_: logged.append(text))
    models = []
    build = MODELS.build
    monkeypatch.setattr(MODELS, "build", lambda cfg: (made := build(cfg), models.append(weakref.ref(made)))[0])
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    before = cfg.pretty_text
    try_largest(cfg, largest)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]
    assert cfg.pretty_text == before and logging.root.manager.disable == 0
    assert SEEN == [("loss", (1, 3, 64, 72), True, dtype), ("predict", (1, 3, 56, 64), False, dtype)]
    assert logged == [
        f"trying the largest picture of {name}: {picture.path} ({picture.width}x{picture.height}), 1 at a time"
        for name, picture in largest.items()
    ]
    gc.collect()
    assert models and all(model() is None for model in models)


def test_state_of_the_optimizer_is_there(cfg, monkeypatch):
    """As in the second step of a training."""
    sizes = []
    step = SmallMemory.train_step

    def count(self, data, optim_wrapper):
        states = optim_wrapper.optimizer.state
        sizes.append(sum(state["momentum_buffer"].numel() for state in states.values()))
        step(self, data, optim_wrapper)
        sizes.append(sum(p.numel() for p in self.parameters() if p.requires_grad))

    monkeypatch.setattr(SmallMemory, "train_step", count)
    try_largest(cfg, check_samples([cfg], NAMES)[0])
    assert sizes[0] == sizes[1] > 1000


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "error", [SmallMemory.error, torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate"), MemoryError()]
)
def test_too_large(name, error, cfg, monkeypatch):
    """Two at a time."""
    monkeypatch.setattr(SmallMemory, "error", error)
    cfg[name].batch_size = 2
    (largest,) = check_samples([cfg], NAMES)
    picture = largest[name]
    with pytest.raises(ValueError) as caught:
        try_largest(cfg, largest)
    text = (
        f"not enough memory for the largest picture of {name}, {picture.path} ({picture.width}x{picture.height}), 2 at"
    )
    assert str(caught.value).startswith(text)
    assert "with_cp=True" in str(caught.value) and "--no-check" in str(caught.value)
    assert logging.root.manager.disable == 0


def test_another_error_stays_as_it_is(cfg, monkeypatch):
    monkeypatch.setattr(SmallMemory, "error", RuntimeError("something else"))
    cfg.train_dataloader.batch_size = 2
    with pytest.raises(RuntimeError, match="something else"):
        try_largest(cfg, check_samples([cfg], NAMES)[0])


@pytest.mark.parametrize("check", [True, False])
def test_run(check, cfg, tmp_path):
    """Before anything is written; not without the check."""
    cfg.train_dataloader.batch_size = 2
    cfg.data_check = check
    with pytest.raises(ValueError if check else RuntimeError, match="not enough memory" if check else "can't allocate"):
        StagedRunner(cfg).train()
    assert (tmp_path / "work").exists() != check


def test_nothing_to_try(cfg):
    try_largest(cfg, {})
    assert SEEN == []
