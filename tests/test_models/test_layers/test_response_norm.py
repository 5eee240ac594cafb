import pytest
import torch

from fcn_plugin.models.layers import ResponseNorm


@pytest.mark.parametrize("size", [3, 5])
def test_by_hand(size):
    torch.manual_seed(0)
    x = 100 * torch.randn(2, 7, 3, 4, dtype=torch.float64)
    out = ResponseNorm(size)(x)
    for channel in range(7):
        window = range(max(0, channel - size // 2), min(7, channel + size // 2 + 1))
        squares = sum(x[:, c] ** 2 for c in window)
        torch.testing.assert_close(out[:, channel], x[:, channel] / (1 + 1e-4 / size * squares) ** 0.75)
    assert out.dtype == x.dtype and not torch.allclose(out, x, rtol=0.1)


@pytest.mark.parametrize("dtype, rtol", [(torch.float16, 1e-3), (torch.bfloat16, 1e-2)])
@pytest.mark.parametrize("autocast", [True, False])
def test_half_precision(dtype, rtol, autocast):
    """Squares beyond float16's 65504 do not overflow."""
    x = (torch.rand(1, 8, 3, 3) * 900).to(dtype)
    assert (x.float() ** 2).max() > 65504
    norm = ResponseNorm()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = norm(x)
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), norm(x.float()), rtol=rtol, atol=0)
