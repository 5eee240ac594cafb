"""Weights that the toolbox's own calls read once the package is imported: as before, but nothing of a file is run."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as toolbox
from mmseg.apis import MMSegInferencer
from mmseg.datasets import PascalVOCDataset
from testing import weight_files as files
from testing.small_release import serving

import fcn_plugin  # noqa: F401
from fcn_plugin.weights.checkpoint import WeightsError
from fcn_plugin.weights.importing import import_weights

OTHERS = [
    {"layer.weight": torch.arange(3.0)},
    dict(
        state_dict={"a": torch.zeros(2, dtype=torch.bfloat16)}, meta=dict(epoch=3, CLASSES=("a", "b"), n=np.float64(2))
    ),
    dict(state_dict={"a": torch.ones(1)}, message_hub=dict(log_scalars={"loss": HistoryBuffer([1.0, 2.0], [1, 1])})),
    dict(model={"a": torch.ones(1)}, optimizer=dict(state={}, param_groups=[dict(lr=0.1)]), scheduler=None),
    [torch.ones(2), "text"],
]


def same(one, other) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, HistoryBuffer):
        return same(list(map(list, one.data)), list(map(list, other.data)))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("content", OTHERS)
def test_checkpoints_of_other_models_are_read_as_before(content, zipped, tmp_path, monkeypatch):
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)  # for the comparison
    path = str(tmp_path / "other.pth")
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    read = CheckpointLoader.load_checkpoint(path, map_location="cpu")
    assert same(read, torch.load(path, weights_only=False)) and same(read, content)
    with pytest.raises(FileNotFoundError, match="none.pth can not be found"):
        CheckpointLoader.load_checkpoint(str(tmp_path / "none.pth"))


def test_files_of_caffe(tmp_path):
    """The reference's releases, with the names and colours that MMSegInferencer takes from them: VOC's."""
    path = tmp_path / "fcn32s-heavy-pascal.caffemodel"
    files.write_caffemodel(path, files.fcn_weights(()))
    read = CheckpointLoader.load_checkpoint(str(path), map_location="cpu")
    assert same(read, import_weights(path)) and "decode_head.score_fr.weight" in read["state_dict"]
    meta = read["meta"]["dataset_meta"]
    assert meta == {key: list(PascalVOCDataset.METAINFO[key]) for key in ("classes", "palette")}


def test_by_url(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    (tmp_path / "site").mkdir()
    torch.save(OTHERS[1], tmp_path / "site/other.pth")
    with serving(tmp_path / "site") as server:
        assert same(CheckpointLoader.load_checkpoint(server.url("other.pth")), OTHERS[1])


def test_its_tensors_are_no_part_of_the_file(tmp_path):
    torch.save(OTHERS[0], tmp_path / "other.pth")
    content = (tmp_path / "other.pth").read_bytes()
    CheckpointLoader.load_checkpoint(str(tmp_path / "other.pth"))["layer.weight"].zero_()
    assert (tmp_path / "other.pth").read_bytes() == content


class Trap:
    """Pickled, it makes a directory when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


def test_no_pickle_is_run(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)
    torch.save(dict(state_dict={"a": torch.ones(1)}, x=Trap(tmp_path / "trap")), tmp_path / "c.pth")
    with pytest.raises(WeightsError, match="can be loaded safely: the file asks for posix.mkdir"):
        toolbox.load_checkpoint(torch.nn.Identity(), str(tmp_path / "c.pth"))
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("place", ["meta", "message hub", "both"])
def test_no_config_is_run(place, tmp_path):
    """The toolbox's inferencer, given none, takes the one in the file."""
    program = f"import os\nos.mkdir({str(tmp_path / 'trap')!r})\nmodel = dict(type='FCNVGG')"
    content = dict(state_dict={"a": torch.ones(1)}, meta=dict(iter=3))
    if place != "message hub":
        content["meta"].update(cfg=program, config=program)
    if place != "meta":
        content["message_hub"] = dict(runtime_info=dict(cfg=program, iter=3), log_scalars={})
    torch.save(content, tmp_path / "c.pth")
    expected = "give the config as well" if place != "message hub" else "Cannot find the config"
    with pytest.raises(ValueError, match=expected):
        MMSegInferencer(None, str(tmp_path / "c.pth"), device="cpu")
    assert not (tmp_path / "trap").exists()
    read = CheckpointLoader.load_checkpoint(str(tmp_path / "c.pth"))
    assert read["meta"]["iter"] == 3 and "config" not in read["meta"] and program not in str(read)
