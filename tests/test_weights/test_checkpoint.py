"""Reading checkpoints: what the toolbox saves, and nothing that runs code."""

import os
import pickle
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from fcn_plugin.utils import torch_versions
from fcn_plugin.utils.torch_versions import FORCE_SAFE, HAS_NAMED_SAFE_GLOBALS
from fcn_plugin.weights.checkpoint import WeightsError, forbid_unsafe_loading, read_checkpoint

WEIGHTS = dict(weight=torch.arange(6.0).reshape(2, 3))


@pytest.fixture(autouse=True, params=["safe globals", "restricted pickle", "restricted pickle, safe loading forced"])
def way_to_load(request, monkeypatch):
    """As PyTorch has it since 2.6, and before."""
    if request.param == "safe globals" and not HAS_NAMED_SAFE_GLOBALS:
        pytest.skip("PyTorch before 2.6")
    monkeypatch.setattr(torch_versions, "HAS_NAMED_SAFE_GLOBALS", request.param == "safe globals")
    if request.param.endswith("forced"):
        monkeypatch.setenv(FORCE_SAFE, "1")
    else:
        monkeypatch.delenv(FORCE_SAFE, raising=False)
    before = os.environ.get(FORCE_SAFE)
    yield
    assert os.environ.get(FORCE_SAFE) == before


class Calls:
    """Pickled, it calls a function when it is loaded."""

    def __init__(self, function, *args) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call


def save(path: Path, content: object, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("content", [WEIGHTS, dict(state_dict=WEIGHTS, meta=dict(iter=3))])
def test_read(content, zipped, tmp_path):
    checkpoint = read_checkpoint(save(tmp_path / "c.pth", content, zipped))
    assert torch.equal(checkpoint["state_dict"]["weight"], WEIGHTS["weight"])


@pytest.mark.parametrize("value", [np.float64(0.5), np.float32(0.5), np.int64(3), np.arange(3.0), np.dtype("int32")])
def test_numpy_values(value, tmp_path):
    """A validation leaves its metrics, numpy scalars, in the log."""
    checkpoint = read_checkpoint(save(tmp_path / "c.pth", dict(state_dict=WEIGHTS, message_hub=dict(value=value))))
    loaded = checkpoint["message_hub"]["value"]
    assert type(loaded) is type(value) and np.all(loaded == value)


def test_history_buffer(tmp_path):
    buffer = HistoryBuffer([1.0, 3.0], [1, 1])
    loaded = read_checkpoint(save(tmp_path / "c.pth", dict(state_dict=WEIGHTS, loss=buffer)))["loss"]
    assert loaded.mean() == 2 and loaded.statistics("max", 2) == 3


@pytest.mark.parametrize(
    "content",
    [3, [1], None, {}, torch.zeros(3), *(dict(state_dict=value) for value in ({}, torch.zeros(3), [torch.zeros(1)]))],
)
def test_no_weights(content, tmp_path):
    with pytest.raises(WeightsError, match="c.pth holds no weights"):
        read_checkpoint(save(tmp_path / "c.pth", content))


@pytest.mark.parametrize("zipped", [True, False])
def test_truncated(zipped, tmp_path):
    path = save(tmp_path / "c.pth", dict(state_dict=WEIGHTS), zipped)
    content = path.read_bytes()
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        with pytest.raises(WeightsError, match="c.pth is truncated"):
            read_checkpoint(path)


def test_random_bytes(tmp_path):
    path = tmp_path / "c.pth"
    for seed in range(100):
        path.write_bytes(np.random.default_rng(seed).bytes(200))
        with pytest.raises(WeightsError):
            read_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_not_run(zipped, tmp_path):
    trap = tmp_path / "trap"
    path = save(tmp_path / "c.pth", dict(state_dict=WEIGHTS, trap=Calls(os.mkdir, str(trap))), zipped)
    with pytest.raises(WeightsError):
        read_checkpoint(path)
    assert not trap.exists()


@pytest.mark.parametrize("owner, name", [(np.ndarray, "tofile"), (HistoryBuffer, "__init__")])
def test_getattr_of_other_things(owner, name, tmp_path):
    """The statistics of a HistoryBuffer are pickled as attributes of its class; no other attribute is given away."""
    content = dict(state_dict=WEIGHTS, trap=Calls(getattr, owner, name))
    with pytest.raises(WeightsError, match=f"asks for the attribute {name} of"):
        read_checkpoint(save(tmp_path / "c.pth", content))


@pytest.mark.parametrize(
    "value", [{1, 2}, Counter({20: 1}), 1j, bytearray(b"ab"), torch.bfloat16, torch.device("cpu"), OrderedDict(a=1)]
)
def test_plain_values(value, tmp_path):
    """MultiStepLR, for one, notes its milestones in a Counter."""
    path = save(tmp_path / "c.pth", dict(state_dict=WEIGHTS, param_schedulers=[value]))
    (loaded,) = read_checkpoint(path)["param_schedulers"]
    assert loaded == value and type(loaded) is type(value)


def test_safe_only_while_it_is_read(tmp_path):
    path = save(tmp_path / "c.pth", dict(state_dict=WEIGHTS, loss=HistoryBuffer([1.0], [1])))
    read_checkpoint(path)
    with pytest.raises(pickle.UnpicklingError, match="HistoryBuffer|getattr"):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize("known", [[], [HistoryBuffer, np.ndarray], [getattr]])
def test_safe_globals_of_others_stay(known, tmp_path):
    """Also where the file cannot be read; a process that trusts ``getattr`` does not make ours read it."""
    if not HAS_NAMED_SAFE_GLOBALS:
        pytest.skip("PyTorch before 2.6")
    torch.serialization.add_safe_globals(known)
    try:
        before = set(torch.serialization.get_safe_globals())
        assert before.issuperset(known)
        read_checkpoint(save(tmp_path / "c.pth", dict(state_dict=WEIGHTS, loss=HistoryBuffer([1.0], [1]))))
        with pytest.raises(WeightsError, match="asks for the attribute"):
            read_checkpoint(
                save(tmp_path / "c.pth", dict(state_dict=WEIGHTS, trap=Calls(getattr, np.ndarray, "tofile")))
            )
        assert set(torch.serialization.get_safe_globals()) == before
    finally:
        torch.serialization._weights_only_unpickler._remove_safe_globals(known)


def test_forbid_unsafe_loading(tmp_path, monkeypatch):
    """The toolbox's own loading falls back to running the file's code unless this is called."""
    from mmengine.runner.checkpoint import load_from_local

    with monkeypatch.context() as context:
        context.setenv(FORCE_SAFE, "0")
        before = dict(os.environ)
        forbid_unsafe_loading()
        assert dict(os.environ) == {**before, FORCE_SAFE: "1"}
        trap = tmp_path / "trap"
        path = save(tmp_path / "c.pth", dict(state_dict=WEIGHTS, trap=Calls(os.mkdir, str(trap))))
        with pytest.raises(Exception, match="(?i)weights.only"):
            load_from_local(str(path), "cpu")
        assert not trap.exists()


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint .*c.pth"):
        read_checkpoint(tmp_path / "c.pth")
