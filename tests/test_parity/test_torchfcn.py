"""Logits and gradients of the real VGG16 networks against pytorch-fcn's, from the same random weights."""

from functools import partial
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from benchmarks.peer import peer_classes
from fcn_plugin.weights.importing import canonical_weights, import_weights

CONFIGS = Path(__file__).parents[2] / "configs"
MODELS_AND_CONFIGS = {
    "FCN32s": "fcn32s_vgg16_voc.py",
    "FCN16s": "fcn16s_vgg16_voc.py",
    "FCN8s": "fcn8s_vgg16_voc.py",
    "FCN8sAtOnce": "fcn8s-atonce_vgg16_voc.py",
}
SIZES = {2: [(37, 61)], 11: [(83, 12)], 21: [(1, 1), (150, 47), (99, 130)]}


@pytest.fixture(scope="module")
def torchfcn():
    """The peer's model classes."""
    return peer_classes()


@pytest.fixture(scope="module")
def extractor():
    """Random weights of VGG16's convolutions, fc6 and fc7, by layer name, that keep the signal's scale."""
    torch.manual_seed(0)
    with torch.device("meta"):
        init_default_scope("mmseg")
        model = Config.fromfile(CONFIGS / "fcn32s_vgg16_voc.py").model
        modules = [MODELS.build(model.backbone), MODELS.build(model.neck)]
    shapes = {name: p.shape for module in modules for name, p in module.named_parameters()}
    assert len(shapes) == 30
    return {
        name: torch.randn(shape) * ((2 / shape[1:].numel()) ** 0.5 if len(shape) == 4 else 0.1)
        for name, shape in shapes.items()
    }


def pair(peer_class, config, extractor, classes, folder):
    """The peer and our model with the same weights: those of the peer, with two classes saved to a file, imported."""
    with torch.device("meta"):
        peer = peer_class(n_class=classes)
        cfg = Config.fromfile(CONFIGS / config).model
        cfg.decode_head.num_classes = classes
        ours = MODELS.build(cfg)
    peer = peer.to_empty(device="cpu").eval()
    peer._initialize_weights()
    torch.manual_seed(1)
    state = {**peer.state_dict(), **extractor}
    for name, value in state.items():
        if name.startswith("score"):
            # the reference's skips are scaled down at once; large scores keep them visible in the logits
            value.normal_(0, 1e3 if peer_class.__name__ == "FCN8sAtOnce" and "pool" in name else 0.02)
    peer.load_state_dict(state, assign=True)
    ours = ours.to_empty(device="cpu").eval()
    if classes == 2:
        file = folder / "peer.pth"
        torch.save(peer.state_dict(), file)
        ours.load_state_dict(import_weights(file)["state_dict"])
        file.unlink()
    else:
        ours.load_state_dict(canonical_weights(state))
    return peer, ours


def relative_difference(ours, peer):
    return float((ours - peer).abs().max() / (peer.max() - peer.min()).clamp(min=1e-12))


@pytest.mark.parametrize("classes", [2, 11, pytest.param(21, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", MODELS_AND_CONFIGS)
def test_logits_and_gradients_equal_the_peers(torchfcn, extractor, name, classes, tmp_path):
    peer, ours = pair(torchfcn[name], MODELS_AND_CONFIGS[name], extractor, classes, tmp_path)
    torch.manual_seed(2)
    for size in SIZES[classes]:
        image = torch.randn(1, 3, *size) * 60
        with torch.no_grad():
            expected, logits = peer(image), ours(image, mode="tensor")
        assert logits.shape == expected.shape == (1, classes, *size)
        assert relative_difference(logits, expected) <= 1e-4
    assert expected.std() > 0

    if classes != 21:
        return
    # In float64: rounding of float32 flips single ReLUs near zero, which shows in the gradients.
    image, label = image[:, :, :37, :20].double(), torch.randint(0, classes, (1, 37, 20))
    for run in (peer.double(), partial(ours.double(), mode="tensor")):
        torch.nn.functional.cross_entropy(run(image), label).backward()
    names = dict(ours.named_parameters())
    compared = 0
    for part in ("backbone", "neck", "decode_head"):
        for key, parameter in peer.named_parameters():
            own = names.get(f"{part}.{key}")
            if own is not None and own.requires_grad:
                assert relative_difference(own.grad, parameter.grad) <= 1e-9, key
                compared += 1
    assert (
        compared == len([p for p in ours.parameters() if p.requires_grad]) == 30 + 2 * len(ours.decode_head.score_names)
    )
