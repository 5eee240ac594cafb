"""Loading a backbone or a neck, and what keeps weights from being loaded."""

import pytest
import torch
from testing import weight_files as files
from testing.utils import WIDTH
from torch import nn

from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.weights import download
from fcn_plugin.weights.checkpoint import WeightsError
from fcn_plugin.weights.loading import compare_state_dicts, load_pretrained


def test_misfits():
    own = {"a": torch.zeros(2), "b": torch.zeros(3, 1), "c": torch.zeros(1), "bn.num_batches_tracked": torch.zeros(())}
    assert compare_state_dicts(own, {key: own[key] for key in "abc"}) == {}
    given = {"c": torch.zeros(2), "b": torch.zeros(1, 3), "d": torch.zeros(1), "x.num_batches_tracked": torch.zeros(())}
    assert compare_state_dicts(own, given) == {
        "missing": ["a"],
        "unknown": ["d"],
        "of another shape": ["b (1, 3) for (3, 1)", "c (2,) for (1,)"],
    }


def test_batch_norms_without_counters(tmp_path):
    """As old files have them."""
    tensors = files.reference_weights(batch_norm=True)
    stored = {key: value for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    torch.save(files.torchvision_names(stored), tmp_path / "vgg.pth")
    backbone = FCNVGG(width=WIDTH, norm_cfg=dict(type="BN"))
    load_pretrained(backbone, "backbone", str(tmp_path / "vgg.pth"))
    state = backbone.state_dict()
    assert torch.equal(state["bn5_3.running_var"], tensors["bn5_3.running_var"])
    assert state["bn5_3.num_batches_tracked"] == 0


@pytest.mark.parametrize(
    "part, message", [("neck", "missing: 0.weight, 0.bias; it has"), ("backbone", "unknown: conv1_1")]
)
def test_weights_that_do_not_fit(tmp_path, part, message):
    torch.save(files.torchvision_names(files.reference_weights(classifier=False)), tmp_path / "vgg.pth")
    module = nn.Sequential(nn.Conv2d(1, 1, 1))
    before = module[0].weight.clone()
    with pytest.raises(WeightsError, match=f"does not fit Sequential .*{message}"):
        load_pretrained(module, part, str(tmp_path / "vgg.pth"))
    assert torch.equal(module[0].weight, before)


@pytest.mark.parametrize("rank", [0, 1])
def test_first_process_downloads(rank, monkeypatch):
    """The others wait for it, also where the download fails, so that all of them report it."""
    calls = []

    def local_file(source):
        calls.append("file")
        raise WeightsError("no such name")

    monkeypatch.setattr(download, "get_rank", lambda: rank)
    monkeypatch.setattr(download, "barrier", lambda: calls.append("barrier"))
    monkeypatch.setattr(download, "local_file", local_file)
    with pytest.raises(WeightsError, match="no such name"):
        load_pretrained(nn.Identity(), "backbone", "torchvision://vgg16")
    assert calls == (["file", "barrier"] if rank == 0 else ["barrier", "file"])
