import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fcn_plugin.geometry.linear_copy import LinearCopy, prepare


def profile(network, cell, length=64, width=16, seed=None):
    """How a cell in the middle column of a network's copy weighs the rows of an image."""
    image = torch.ones(1, 3, length, width, dtype=torch.float64, requires_grad=True)
    with LinearCopy(seed) as copy:
        out = prepare(network)(image)
        (grad,) = torch.autograd.grad(out[0, :, cell, out.shape[3] // 2].sum(), image)
    weights = grad.sum((0, 1, 3))
    return weights / weights.sum(), copy.left_out


def assert_sees(network, cell, first, weights, left_out=frozenset(), **kwargs):
    found, found_left_out = profile(network, cell, **kwargs)
    expected = torch.zeros_like(found)
    expected[first : first + len(weights)] = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert found_left_out == set(left_out)


#: Layers on an image of three channels, a cell, the first pixel that it sees, and the weights of the pixels from there.
LAYERS = {
    "conv": (nn.Conv2d(3, 4, 5, stride=2, padding=1), 10, 19, [1] * 5),
    "dilated": (nn.Conv2d(3, 4, 3, padding=2, dilation=2), 10, 8, [1, 0, 1, 0, 1]),
    "grouped": (nn.Conv2d(3, 6, 3, padding=1, groups=3), 10, 9, [1, 1, 1]),
    "reflected": (nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), 10, 9, [1, 1, 1]),
    "same": (nn.Conv2d(3, 4, 3, padding="same"), 10, 9, [1, 1, 1]),
    "max pooling": (nn.MaxPool2d(3, 2, 1, ceil_mode=True), 10, 19, [1, 1, 1]),
    "max pooling after a conv": (nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2)), 10, 20, [1, 1]),
    "average pooling": (nn.AvgPool2d(2, 2), 10, 20, [1, 1]),
    "deconv 4/2": (nn.ConvTranspose2d(3, 4, 4, 2, 1), 21, 10, [3, 1]),
    "deconv 3/2": (nn.ConvTranspose2d(3, 4, 3, 2, 1, 1), 21, 10, [1, 1]),
    "deconv 6/2": (nn.ConvTranspose2d(3, 4, 6, 2, 2), 21, 9, [1, 4, 3]),
    "deconv 2/2, as 4/2": (nn.ConvTranspose2d(3, 4, 2, 2), 21, 10, [3, 1]),
    "deconv 4/4, as 8/4": (nn.ConvTranspose2d(3, 4, 4, 4), 43, 10, [5, 3]),
    "deconv 3/1": (nn.ConvTranspose2d(3, 4, 3, 1, 1), 21, 20, [1, 1, 1]),
    "bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), 21, 10, [3, 1]),
    "nearest": (nn.Upsample(scale_factor=2), 21, 10, [3, 1]),
    "nearest, down": (nn.Upsample(scale_factor=0.5), 10, 20, [1]),
    "norms and activations": (
        nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(True), nn.GroupNorm(1, 3), nn.GELU(), nn.InstanceNorm2d(3), nn.PReLU(),
                      nn.Hardswish(), nn.SiLU(), nn.LeakyReLU(), nn.ReLU6(), nn.Dropout(), nn.Conv2d(3, 1, 2)),
        10, 10, [1, 1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("seed", [None, 3])
def test_layers_by_hand(name, seed):
    network, cell, first, weights = LAYERS[name]
    assert_sees(network, cell, first, weights, seed=seed)


class Gated(nn.Module):
    """Squeeze and excitation, a gate of its own, and one computed in place."""

    def __init__(self):
        super().__init__()
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 3, 1), nn.ReLU(True), nn.Hardsigmoid())
        self.gate = nn.Conv2d(3, 3, 5, padding=2)

    def forward(self, x):
        x = x * self.squeeze(x) * torch.sigmoid(self.gate(x))
        return x * ((self.squeeze[0](x) + 3) / 6).clamp_(0, 1)


class Residual(nn.Module):
    """Sums in place, a product of features, a view, a layer scale and an embedding."""

    def __init__(self):
        super().__init__()
        self.conv, self.wide = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 3, padding=1)
        self.gamma, self.embedding = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(1, 3, 64, 16))

    def forward(self, x):
        y = self.conv(x).view(1, -1, 16).view(x.shape)
        y += x
        y = y + self.embedding
        y = F.relu(y, inplace=True) * self.gamma[:, None, None] * 0.5
        return y * self.wide(self.conv(y))


class Attention(nn.Module):
    """Attention of several kinds, each beside a path that passes."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.qkv, self.out = kind, nn.Linear(3, 9), nn.Linear(3, 3)
        self.torch = nn.MultiheadAttention(3, 1, batch_first=True)
        self.position = nn.Parameter(torch.zeros(16, 3))

    def attend(self, x):
        if self.kind == "module":
            return self.torch(x, x, x)[0]
        query, key, value = self.qkv(x).chunk(3, -1)
        if self.kind == "function":
            return F.scaled_dot_product_attention(query, key, value)
        if self.kind == "einsum":
            return torch.einsum("bij,bjc->bic", torch.einsum("bic,bjc->bij", query, key).softmax(-1), value)
        scores = query @ key.transpose(1, 2) / 2 + 1
        if self.kind == "with positions":  # a score that depends on the features of one place
            scores = scores + (query @ self.position.T).mean(-1, keepdim=True)
        return scores.softmax(-1) @ value

    def forward(self, x):
        tokens = F.layer_norm(x, x.shape[1:]).flatten(2).transpose(1, 2)
        tokens = tokens + self.out(self.attend(tokens))
        return tokens.transpose(1, 2).reshape(x.shape)


def test_gates_and_pooled_context_are_left_out():
    assert_sees(Gated(), 10, 10, [1], left_out={"gates", "global pooling"})


def test_products_sums_and_parameters_pass():
    assert_sees(Residual(), 10, 9, [1, 4, 1])


@pytest.mark.parametrize("kind", ["module", "function", "einsum", "matmul", "with positions"])
def test_attention_is_left_out(kind):
    assert_sees(Attention(kind), 10, 10, [1], left_out={"attention"})


@pytest.mark.parametrize(
    "network",
    [nn.MaxPool2d(2, dilation=2), nn.MaxPool2d(2, return_indices=True), nn.ConvTranspose2d(3, 3, 2, dilation=2)],
)
def test_what_has_no_copy_is_refused(network):
    with pytest.raises(ValueError, match="which has no linear copy"):
        profile(network, 10)


@pytest.mark.parametrize("network", [nn.Conv2d(6, 2, 1), nn.ConvTranspose2d(6, 2, 1), nn.Linear(6, 2)])
def test_channels_that_do_not_fit_are_refused(network):
    with pytest.raises(ValueError, match="a layer of 6 input channels is given (3|16)"):
        profile(network, 10)


def test_prepare_needs_no_memory_for_weights():
    network = prepare(nn.Sequential(nn.Conv2d(300, 4000, 7), nn.BatchNorm2d(4000)))
    assert all(p.untyped_storage().nbytes() == 8 and not p.requires_grad for p in network.parameters())
    assert all(bool((p == 1).all()) for p in network[1].parameters())
    assert not network.training
