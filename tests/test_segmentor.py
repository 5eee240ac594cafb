"""The whole network under the toolbox's own EncoderDecoder."""

from copy import deepcopy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from fcn_plugin.geometry import read_feature_maps

HEADS = {"FCN32sHead": 1, "FCN16sHead": 2, "FCN8sHead": 3}


def build(head, padding=100, width=0.02):
    init_default_scope("mmseg")
    backbone = dict(type="FCNVGG", padding=padding, width=width)
    channels = [max(1, round(c * width)) for c in (256, 512)] + [6]
    neck = dict(type="FCConvNeck", in_channels=channels[1], channels=6)
    # under the toolbox's own segmentor, a head for another feature extractor than the reference's has to be told
    maps = read_feature_maps(MODELS.build(backbone), MODELS.build(neck))[-HEADS[head] :]
    places = [dict(stride=one.coord_map.stride, offset=one.coord_map.offset) for one in maps]
    geometry = {} if padding == 100 else dict(geometry=places)
    return MODELS.build(
        dict(
            type="EncoderDecoder",
            data_preprocessor=dict(type="SegDataPreProcessor", mean=[1.0] * 3, std=[1.0] * 3, size_divisor=1),
            backbone=backbone,
            neck=neck,
            decode_head=dict(type=head, in_channels=channels[-HEADS[head] :], num_classes=3, **geometry),
            test_cfg=ConfigDict(mode="whole"),
        )
    )


def randomise(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                scale = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim == 4 else 0.1
                parameter.normal_(0, scale, generator=generator)
    return model.eval()


def sample(height, width):
    label = torch.randint(0, 3, (1, height, width))
    meta = dict(ori_shape=(height, width), img_shape=(height, width), pad_shape=(height, width))
    return SegDataSample(gt_sem_seg=PixelData(data=label), metainfo=meta)


def uneven_batch(sizes):
    """Images of several sizes, differently many of their pixels ignored; each alone, and all in one batch."""
    torch.manual_seed(5)
    alone = []
    for number, (height, width) in enumerate(sizes):
        one = sample(height, width)
        one.gt_sem_seg.data[:, : 4 * number] = 255
        image = 10 * torch.randn(3, height, width)
        alone.append(dict(inputs=[image], data_samples=[one]))
    return alone, {key: [data[key][0] for data in alone] for key in ("inputs", "data_samples")}


def loss_and_gradients(model, data):
    data = model.data_preprocessor(deepcopy(data), training=True)
    loss = model(**data, mode="loss")["decode.loss_ce"]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return loss.detach(), torch.autograd.grad(loss, trained)


@pytest.mark.parametrize("head, reduction", [("FCN32sHead", "mean"), ("FCN16sHead", "sum"), ("FCN8sHead", "mean")])
def test_padded_batch_equals_the_images_alone_with_padding_245(head, reduction):
    """Loss and gradients: with so much padding, no score of the image depends on where its canvas ends."""
    model = randomise(build(head, padding=245)).double()
    model.decode_head.loss_decode.reduction = reduction
    alone, together = uneven_batch([(61, 47), (40, 80)])
    labelled = torch.stack([(data["data_samples"][0].gt_sem_seg.data != 255).sum() for data in alone]).double()
    weights = labelled / labelled.sum() if reduction == "mean" else torch.ones(2)
    assert labelled[0] != labelled[1]
    losses, gradients = zip(*(loss_and_gradients(model, data) for data in alone))
    loss, gradient = loss_and_gradients(model, together)
    torch.testing.assert_close(loss, sum(weight * value for weight, value in zip(weights, losses)))
    for number, actual in enumerate(gradient):
        expected = sum(weight * values[number] for weight, values in zip(weights, gradients))
        assert (actual - expected).abs().max() <= 1e-9 * expected.abs().max()
        assert expected.abs().max() > 0


def test_padded_batch_with_padding_100():
    """Every labelled pixel weighs the same, exactly; scores near the batch's padding are those of a larger canvas."""
    model = randomise(build("FCN8sHead")).double()
    alone, together = uneven_batch([(200, 230), (240, 200)])
    together = model.data_preprocessor(deepcopy(together), training=True)
    with torch.no_grad():
        logits = model(together["inputs"], mode="tensor")
        loss = model(**together, mode="loss")["decode.loss_ce"]
        apart = [model(model.data_preprocessor(deepcopy(data), True)["inputs"], mode="tensor") for data in alone]
    labels = [data["data_samples"][0].gt_sem_seg.data[0] for data in alone]

    def over_all_pixels(scores):
        pixels = torch.cat(
            [one[:, : label.shape[0], : label.shape[1]].flatten(1) for one, label in zip(scores, labels)], 1
        )
        return torch.nn.functional.cross_entropy(
            pixels.T, torch.cat([label.flatten() for label in labels]), ignore_index=255
        )

    torch.testing.assert_close(loss, over_all_pixels(logits))
    for padded, (own,), (height, width) in zip(logits, apart, [(200, 230), (240, 200)]):
        # half of fc7's receptive field of 404, and the reach of the upsampling, less the network's own padding
        far = slice(None), slice(0, height - 160), slice(0, width - 160)
        torch.testing.assert_close(padded[far], own[far], rtol=1e-9, atol=1e-9)
        assert not torch.allclose(padded[:, :height, :width], own, rtol=1e-3, atol=1e-3)
    assert 0 < abs(loss - over_all_pixels([own[0] for own in apart])) < 0.02 * loss


@pytest.mark.parametrize("head", HEADS)
def test_shifting_the_image_shifts_the_logits(head):
    model = randomise(build(head, width=0.04))
    picture = torch.zeros(1, 3, 500, 500)
    picture[:, :, 160:230, 170:240] = 10 * torch.randn(1, 3, 70, 70, generator=torch.Generator().manual_seed(1))
    moved = picture.roll((32, 32), dims=(2, 3))
    with torch.no_grad():
        before, after = (model(image, mode="tensor") for image in (picture, moved))
    # the interior: further from the picture's border than the receptive field of fc7 reaches around the pattern
    inside = slice(210, 250)
    expected = before[:, :, 178:218, 178:218]
    assert expected.std() > 1e-3
    torch.testing.assert_close(after[:, :, inside, inside], expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(before[:, :, inside, inside], after[:, :, inside, inside], atol=1e-3)


@pytest.mark.parametrize(
    "head",
    [
        dict(type="PSPHead", pool_scales=(1, 2)),
        dict(type="DepthwiseSeparableASPPHead", dilations=(1, 2), c1_in_channels=6, c1_channels=2),
        dict(type="UPerHead", in_channels=[6, 13, 26, 26], in_index=[0, 1, 2, 3], pool_scales=(1, 2)),
    ],
    ids=lambda head: head["type"],
)
@pytest.mark.parametrize("norm_cfg", [None, dict(type="BN")], ids=["plain", "BN"])
def test_backbone_under_heads_of_the_toolbox(head, norm_cfg):
    init_default_scope("mmseg")
    torch.manual_seed(0)
    head = {"in_channels": 26, "channels": 4, "num_classes": 3, "in_index": -1, **head}
    finest = 1 if head["type"] in ("UPerHead", "DepthwiseSeparableASPPHead") else 4
    model = MODELS.build(
        dict(
            type="EncoderDecoder",
            backbone=dict(type="FCNVGG", padding=1, width=0.05, norm_cfg=norm_cfg, out_indices=tuple(range(finest, 5))),
            decode_head=head,
            test_cfg=ConfigDict(mode="whole"),
        )
    ).train()
    losses = model(torch.randn(2, 3, 66, 97), [sample(66, 97), sample(66, 97)], mode="loss")
    losses["decode.loss_ce"].backward()
    assert torch.isfinite(losses["decode.loss_ce"])
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    assert model.backbone.conv1_1.weight.grad.abs().sum() > 0
    model.eval()
    with torch.no_grad():
        for height, width in [(66, 97), (64, 33)]:
            (predicted,) = model(torch.randn(1, 3, height, width), [sample(height, width)], mode="predict")
            assert predicted.seg_logits.data.shape == (3, height, width)
