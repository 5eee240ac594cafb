"""Weights of timm's networks, by whatever names their file has."""

import socket
import time

import pytest
import torch

from fcn_plugin.weights import timm_trunk
from fcn_plugin.weights.errors import WeightsError
from fcn_plugin.weights.timm_trunk import answers, packaged_file, published_file, trunk_weights


def network(name, **settings):
    import timm

    torch.manual_seed(0)
    return timm.create_model(name, **settings)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_convnext"])  # the latter's features have other names
@pytest.mark.parametrize("form", ["network", "features", "backbone", "checkpoint"])
def test_names(name, form, tmp_path):
    whole = network(name)
    features = network(name, features_only=True)
    features.load_state_dict(dict(zip(features.state_dict(), whole.state_dict().values())))
    own = {f"timm_model.{key}": value for key, value in features.state_dict().items()}
    held = {
        "network": {f"module.{key}": value for key, value in whole.state_dict().items()},
        "features": features.state_dict(),
        "backbone": own,
        "checkpoint": {"decode_head.score_fr.weight": torch.ones(1)} | {f"backbone.{k}": v for k, v in own.items()},
    }[form]
    torch.save(dict(state_dict=held), tmp_path / "weights.pth")
    found = trunk_weights(name, tmp_path / "weights.pth")
    assert found.keys() == own.keys() and all(torch.equal(found[key], own[key]) for key in own)


def test_names_of_efficientnet_pytorch(tmp_path):
    whole = network("test_efficientnet").state_dict()
    renamed = {f"_{key}": value for key, value in whole.items()}
    assert next(iter(renamed)) == timm_trunk.EFFICIENTNET_PYTORCH
    torch.save(renamed, tmp_path / "weights.pth")
    found = trunk_weights("test_efficientnet", tmp_path / "weights.pth")
    assert len(found) > 50 and all(
        torch.equal(value, whole[key.removeprefix("timm_model.")]) for key, value in found.items()
    )
    del renamed["_bn1.bias"]
    torch.save(renamed, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="does not hold the weights of test_efficientnet"):
        trunk_weights("test_efficientnet", tmp_path / "weights.pth")


def test_an_installed_package(tmp_path, monkeypatch):
    monkeypatch.setitem(timm_trunk.PACKAGES, "test_efficientnet", "weights_of_a_test")
    assert packaged_file("resnet18") is None and packaged_file("test_efficientnet") is None
    (tmp_path / "weights_of_a_test/models").mkdir(parents=True)
    (tmp_path / "weights_of_a_test/__init__.py").write_text("raise AssertionError('nothing of it is run')")
    (tmp_path / "weights_of_a_test/models/a.pth").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert packaged_file("test_efficientnet") == tmp_path / "weights_of_a_test/models/a.pth"


def test_weights_of_another_network(tmp_path):
    file = tmp_path / "weights.pth"
    torch.save(network("test_convnext").state_dict(), file)
    with pytest.raises(WeightsError, match=r"does not hold the weights of test_efficientnet \(missing: conv_stem"):
        trunk_weights("test_efficientnet", file)


def test_what_was_downloaded_before(tmp_path, monkeypatch):
    monkeypatch.setattr(timm_trunk, "answers", lambda url: pytest.fail(f"{url} was asked"))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: str(tmp_path / "model.safetensors"))
    assert published_file("test_efficientnet") == tmp_path / "model.safetensors"
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(timm_trunk, "answers", lambda url: False)
    assert published_file("test_efficientnet") is None


def test_a_server_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(timm_trunk, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start, url = time.monotonic(), f"http://127.0.0.1:{silent.getsockname()[1]}/weights"
        assert not answers(url)
    assert not answers(url)  # now closed
    assert time.monotonic() - start < 2
