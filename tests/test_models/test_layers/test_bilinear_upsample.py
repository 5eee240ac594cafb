import pytest
import torch
import torch.nn.functional as F

from fcn_plugin.models.layers import BilinearUpsample, bilinear_kernel


def test_kernel_by_hand():
    assert bilinear_kernel(4)[0].tolist() == pytest.approx([1 / 16, 3 / 16, 3 / 16, 1 / 16])
    assert bilinear_kernel(3)[1].tolist() == pytest.approx([0.5, 1.0, 0.5])


@pytest.mark.parametrize("factor", [2, 8])
@pytest.mark.parametrize("learnable", [False, True])
def test_interior_equals_interpolation(factor, learnable):
    layer = BilinearUpsample(3, 2 * factor, factor, learnable)
    x = torch.randn(2, 3, 6, 7)
    expected = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    crop, edge = factor // 2, factor
    out = layer(x)[:, :, crop : crop + 6 * factor, crop : crop + 7 * factor]
    inside = (..., slice(edge, -edge), slice(edge, -edge))
    torch.testing.assert_close(out[inside], expected[inside])
    assert layer.weight.requires_grad is learnable


def test_odd_kernel_interpolates_between_cell_centres():
    out = BilinearUpsample(1, 3, 2)(torch.tensor([[[[0.0, 4.0]]]]))
    assert out[0, 0, 1].tolist() == [0.0, 0.0, 2.0, 4.0, 2.0]


def test_both_layouts_load_into_each_other():
    fixed, learnable = BilinearUpsample(4, 4, 2), BilinearUpsample(4, 4, 2, learnable=True)
    x = torch.randn(1, 4, 3, 3)
    expected = 2 * fixed(x)
    with torch.no_grad():
        fixed.weight *= 2
    learnable.load_state_dict(fixed.state_dict())
    torch.testing.assert_close(learnable(x), expected)
    again = BilinearUpsample(4, 4, 2)
    again.load_state_dict(learnable.state_dict())
    assert torch.equal(again.weight, fixed.weight)


def test_mixed_kernel_does_not_load_as_fixed():
    learnable = BilinearUpsample(2, 4, 2, learnable=True)
    torch.nn.init.ones_(learnable.weight)
    with pytest.raises(RuntimeError, match="mixes classes: set learnable_upsampling=True"):
        BilinearUpsample(2, 4, 2).load_state_dict(learnable.state_dict())


@pytest.mark.parametrize("value", [1e-30, -1e-30, 1e-40, float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_single_value_between_classes(value, dtype):
    """Also one that a sum of the kernels' values would swallow."""
    dense = BilinearUpsample(3, 4, 2, learnable=True).weight.detach().to(dtype)
    fixed = BilinearUpsample(3, 4, 2)
    dense[0, 2, 1, 3] = -0.0
    assert torch.equal(fixed.to_own_layout(dense), fixed.weight.to(dtype))
    dense[0, 2, 1, 3] = value
    with pytest.raises(ValueError, match="mixes classes: set learnable_upsampling=True"):
        fixed.to_own_layout(dense)


def test_other_number_of_classes_is_a_shape_mismatch():
    with pytest.raises(RuntimeError, match="size mismatch"):
        BilinearUpsample(2, 4, 2).load_state_dict(BilinearUpsample(3, 4, 2, learnable=True).state_dict())
