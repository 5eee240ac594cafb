"""Shift-and-stitch and dilated filters: the same scores, at the same places, by the toolbox's own testing."""

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from PIL import Image
from testing.dense_networks import FC_CHANNELS, NETWORKS, fcn32s, random_image
from testing.utils import HEAD_CHANNELS, IMAGE_SIZE, run_tool, tiny_config

from fcn_plugin.geometry.coord_map import CoordMap
from fcn_plugin.paper.dense_encoder_decoder import DenseEncoderDecoder, upsample_to_image


def logits_of(model, image):
    """Logits (N, classes, H, W) by the mode of the model's ``test_cfg``."""
    size = tuple(image.shape[2:])
    with torch.no_grad():
        return model.inference(image, [dict(ori_shape=size, img_shape=size)] * len(image))


def own_scores(model, image):
    """The network's scores at its own places."""
    with torch.no_grad():
        return model.decode_head.score_fr(model.extract_feat(image)[-1])


@pytest.mark.parametrize(
    "network, padding, size, strides",
    [
        ("vgg11", 0, (160, 171), (2, 4, 8, 16, 32)),
        ("vgg11", 100, (60, 97), (4, 8, 16)),
        ("vgg11-bn", 1, (230, 219), (8, 16)),
        ("vgg11-bn", 60, (111, 130), (4, 8)),
        ("vgg16", 100, (215, 230), (16,)),
        ("googlenet", 3, (730, 745), (16,)),
        ("googlenet", 200, (335, 345), (16,)),
        ("caffenet", 100, (165, 190), (4, 8, 16)),
    ],
)
def test_both_forms_are_equal(network, padding, size, strides):
    """From the first cell on whose field starts inside of the padding; up to the last one, in ceil mode as well.

    And both are the network's own scores at its own places; shifted inputs everywhere.
    """
    model, image = fcn32s(network, padding), random_image(*size)
    own_map = model.decode_head.feature_maps[0]
    assert own_map.size == NETWORKS[network][2]
    own = own_scores(model, image)
    for stride in strides:
        with torch.no_grad():
            shifted, where = model.dense_scores(image, "shift_and_stitch", stride)
            dilated, same = model.dense_scores(image, "a_trous", stride)
        assert where == same == CoordMap(stride, own_map.offset - 32 + stride) and where.size == own_map.size
        assert shifted.shape == dilated.shape
        inside = [where.cells_inside(length, padding) for length in size]
        assert all(inside) or stride != strides[0]
        y, x = (cells.start for cells in inside)
        assert y < shifted.shape[2] and x < shifted.shape[3]
        torch.testing.assert_close(shifted[:, :, y:, x:], dilated[:, :, y:, x:], rtol=1e-9, atol=1e-9)
        assert shifted[:, :, y:, x:].std() > 1e-2
        if stride < 16:  # at the border they differ: the region is no accident
            assert (shifted - dilated)[:, :, :y].abs().max() > 1e-4

        step = 32 // stride
        torch.testing.assert_close(shifted[:, :, step - 1 :: step, step - 1 :: step], own, rtol=1e-9, atol=1e-9)
        y, x = (own_map.cells_inside(length, padding).start for length in size)
        at_own = dilated[:, :, step - 1 :: step, step - 1 :: step]
        torch.testing.assert_close(at_own[:, :, y:, x:], own[:, :, y:, x:], rtol=1e-9, atol=1e-9)


def test_both_forms_are_equal_at_every_pixel():
    """At stride 1, in float32, to 1e-5 of the largest score."""
    model, image = fcn32s("vgg11", 0, width=0.01).float(), random_image(153, 155).float()
    with torch.no_grad():
        shifted, where = model.dense_scores(image, "shift_and_stitch", 1)
        dilated, _ = model.dense_scores(image, "a_trous", 1)
    y, x = (where.cells_inside(length, 0).start for length in image.shape[2:])
    assert shifted.shape == dilated.shape and (shifted.shape[2] - y, shifted.shape[3] - x) > (50, 50)
    difference = (shifted - dilated)[:, :, y:, x:].abs().max()
    assert difference <= 1e-5 * shifted.abs().max() and shifted[:, :, y:, x:].std() > 0.1


@pytest.mark.parametrize("mode", ["shift_and_stitch", "a_trous"])
@pytest.mark.parametrize("network, padding", [("vgg11", 100), ("vgg11-bn", 1), ("googlenet", 18)])
def test_the_networks_own_stride_is_the_ordinary_network(network, padding, mode):
    model, image = fcn32s(network, padding), random_image(45, 70, number=2)
    whole = logits_of(model, image)
    model.test_cfg.update(mode=mode, stride=32)
    torch.testing.assert_close(logits_of(model, image), whole)
    assert whole.shape == (2, 3, 45, 70) and whole.std() > 1e-2


@pytest.mark.parametrize("network, even", [("vgg11", True), ("googlenet", False)])
def test_pixels_have_the_scores_of_their_fields(network, even):
    """Of an odd field, that centred on the pixel; of an even one, the mean of the four around it. Seen one by one."""
    model, image = fcn32s(network, 100), random_image(40, 52)
    (own_map,) = model.decode_head.feature_maps
    assert (own_map.size % 2 == 0) == even
    with torch.no_grad():
        scores, where = model.dense_scores(image, "a_trous", 1)
        logits = upsample_to_image(scores, where, (40, 52))
        assert logits.shape == (1, 3, 40, 52)
        for y, x in ((0, 0), (39, 51), (17, 30)):
            corners = [(y + dy, x + dx) for dy in (-0.5, 0.5) for dx in (-0.5, 0.5)] if even else [(y, x)]
            cells = [[round((c - where.offset) / where.stride) for c in corner] for corner in corners]
            assert [[where.pixel(c) for c in cell] for cell in cells] == [list(corner) for corner in corners]
            expected = torch.stack([scores[:, :, row, column] for row, column in cells]).mean(0)
            torch.testing.assert_close(logits[:, :, y, x], expected)


@pytest.mark.parametrize("network, padding, stride", [("vgg11", 75, 2), ("vgg11", 75, 4), ("vgg11", 75, 8)])
def test_padding_of_half_a_field_makes_them_equal_all_over_the_image(network, padding, stride):
    """As the class says of 202 pixels for VGG16."""
    assert padding == NETWORKS[network][2] // 2 and NETWORKS["vgg16"][2] // 2 == 202
    model, image = fcn32s(network, padding), random_image(37, 50)
    logits = []
    for mode in ("shift_and_stitch", "a_trous"):
        model.test_cfg.update(mode=mode, stride=stride)
        logits.append(logits_of(model, image))
    torch.testing.assert_close(*logits, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("mode", ["shift_and_stitch", "a_trous"])
def test_every_pixel_of_every_image_has_scores(mode, stride):
    for network, padding in (("vgg11", 100), ("vgg11-bn", 1), ("googlenet", 18)):
        model = fcn32s(network, padding, width=0.001, stride=stride).float()
        model.test_cfg.mode = mode
        for size in [(1, 1), (2, 33)] if stride < 16 else [(1 + i, 1 + i * 19 % 32) for i in range(0, 33, 3)]:
            logits = logits_of(model, torch.randn(1, 3, *size))
            assert logits.shape == (1, 3, *size) and logits.isfinite().all()


def test_a_feature_extractor_of_the_toolbox_by_shifted_inputs():
    init_default_scope("mmseg")
    backbone = dict(type="ResNet", depth=18, base_channels=2, stem_channels=2, out_indices=(3,))
    head = dict(type="FCN32sHead", in_channels=[16], num_classes=3)
    test_cfg = ConfigDict(mode="shift_and_stitch", stride=8)
    model = MODELS.build(dict(type="DenseEncoderDecoder", backbone=backbone, decode_head=head, test_cfg=test_cfg))
    torch.manual_seed(0)
    model.init_weights()
    torch.nn.init.normal_(model.decode_head.score_fr.weight)
    model, image = model.double().eval(), random_image(50, 70)
    with torch.no_grad():
        scores, where = model.dense_scores(image, "shift_and_stitch", 8)
    assert where == CoordMap(8, -24)
    assert torch.equal(scores[:, :, 3::4, 3::4], own_scores(model, image)) and scores.std() > 1e-3
    assert logits_of(model, image).shape == (1, 3, 50, 70)
    with pytest.raises(ValueError, match="ResLayer has no dense form: expected convolutions"):
        model.dense_scores(image, "a_trous", 8)


def test_the_dense_form_follows_the_weights():
    """It shares them: loaded later, trained further, or moved."""
    model, other, image = fcn32s("vgg11", 0), fcn32s("vgg11", 0), random_image(151, 160)
    with torch.no_grad():
        before, _ = model.dense_scores(image, "a_trous", 8)
        for parameter in other.parameters():
            parameter.mul_(1.1)
        model.load_state_dict(other.state_dict())
        after, _ = model.dense_scores(image, "a_trous", 8)
        expected, _ = other.dense_scores(image, "a_trous", 8)
        assert torch.equal(after, expected) and not torch.allclose(after, before, rtol=0.05)
        half, _ = model.float().dense_scores(image.float(), "a_trous", 8)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.double(), expected, rtol=1e-3, atol=1e-3)
    assert set(model.state_dict()) == set(fcn32s("vgg11", 0).state_dict()) and len(model.dense_extractors) == 1


@pytest.mark.parametrize("settings, message", [
    ({"decode_head.type": "FCN16sHead"}, "FCN16sHead is no head of one map"),
    ({"test_cfg.stride": 5}, "must be a divisor of the network's 32: got 5"),
    ({"test_cfg.stride": [4, 4]}, r"must be a divisor of the network's 32: got \[4, 4\]"),
])  # fmt: skip
def test_wrong_settings(settings, message):
    channels = HEAD_CHANNELS["fcn16s" if "decode_head.type" in settings else "fcn32s"]
    cfg = Config(dict(
        type="DenseEncoderDecoder",
        backbone=dict(type="FCNVGG", width=0.05),
        neck=dict(type="FCConvNeck", in_channels=26, channels=32),
        decode_head=dict(type="FCN32sHead", in_channels=channels, num_classes=3),
        test_cfg=dict(mode="a_trous", stride=8),
    ))  # fmt: skip
    cfg.merge_from_dict(settings)
    init_default_scope("mmseg")
    with pytest.raises(ValueError, match=message):
        MODELS.build(cfg)


def test_wrong_calls():
    model = fcn32s("vgg11", 0)
    with pytest.raises(ValueError, match="'shift_and_stitch' or 'a_trous', got 'stitch'"):
        model.dense_scores(random_image(151, 151), "stitch", 8)
    with pytest.raises(ValueError, match="do not reach all of the 8 x 90 pixels: use a larger padding"):
        upsample_to_image(torch.zeros(1, 3, 9, 9), CoordMap(8, 0), (8, 90))
    with pytest.raises(ValueError, match="do not reach all of the 8 x 8 pixels"):
        upsample_to_image(torch.zeros(1, 3, 9, 9), CoordMap(1, 1), (8, 8))


def test_other_modes_and_training_are_the_toolboxs():
    model, image = fcn32s("vgg11", 100, crop_size=(40, 48)), random_image(60, 70)
    plain = dict(type="AlignedEncoderDecoder", backbone=dict(type="FCNVGG", depth=11, width=0.02))
    plain["neck"] = dict(type="FCConvNeck", in_channels=model.neck.fc6.in_channels, channels=FC_CHANNELS, fc6_kernel=1)
    plain["decode_head"] = dict(type="FCN32sHead", num_classes=3)
    plain = MODELS.build(plain).double().eval()
    plain.test_cfg = model.test_cfg
    plain.load_state_dict(model.state_dict())
    for mode, stride in (("whole", 1), ("slide", (20, 20))):
        model.test_cfg.update(mode=mode, stride=stride)
        assert torch.equal(logits_of(model, image), logits_of(plain, image))
    assert torch.equal(model(image, mode="tensor"), plain(image, mode="tensor"))


def test_by_the_tool(voc, tmp_path):
    """By three ``--cfg-options``."""
    config = tiny_config(tmp_path, voc, "fcn32s_vgg16_camvid")
    cfg = Config.fromfile(config)
    init_default_scope("mmseg")
    torch.manual_seed(1)
    model = MODELS.build({**cfg.model, "type": "DenseEncoderDecoder"}).eval()
    model.init_weights()
    torch.nn.init.normal_(model.decode_head.score_fr.weight)
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / "fcn32s.pth")
    options = ("model.type=DenseEncoderDecoder", "model.test_cfg.mode=a_trous", "model.test_cfg.stride=8")
    arguments = ("--no-amp", "--out", tmp_path / "out", "--work-dir", tmp_path / "work", "--cfg-options", *options)
    outcome = run_tool("test.py", config, tmp_path / "fcn32s.pth", *arguments, cwd=tmp_path).check()
    assert "mIoU" in outcome.stdout
    predictions = sorted((tmp_path / "out").glob("*.png"))
    assert len(predictions) == 2
    model.test_cfg.update(mode="a_trous", stride=8)
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    for file in predictions:
        picture = np.asarray(Image.open(voc / f"camvid/JPEGImages/{file.stem}.jpg"))[..., ::-1].copy()
        inputs = preprocessor(dict(inputs=[torch.from_numpy(picture).permute(2, 0, 1)], data_samples=None))["inputs"]
        assert inputs.shape[2:] == IMAGE_SIZE
        expected = logits_of(model, inputs).argmax(1)[0]
        found = torch.from_numpy(np.asarray(Image.open(file)).astype(int))
        assert (found == expected).float().mean() > 0.99 and len(found.unique()) > 1
    assert isinstance(model, DenseEncoderDecoder)
