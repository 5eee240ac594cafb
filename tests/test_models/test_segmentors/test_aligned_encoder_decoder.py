"""The skip heads on the backbones of the toolbox."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from testing.narrow_backbones import BACKBONES, without_interpolated_paths

import fcn_plugin.geometry.backbones as known_backbones
from fcn_plugin.geometry.coord_map import CoordMap
from fcn_plugin.geometry.linear_feature_extractor import LinearFeatureExtractor
from fcn_plugin.structures.image_features import ImageFeatures

#: What a head is called by the number of maps that it fuses.
HEADS = {1: "FCN32sHead", 2: "FCN16sHead", 3: "FCN8sHead", 4: "FCNSkipHead"}
#: Channels of the maps, fine to coarse, and which of the backbone's they are.
MAPS = {
    "resnet18-v1c": ([8, 16, 32], None),
    "resnet50": ([8, 16, 32], None),
    "mobilenet-v2": ([8, 16, 32], None),
    "swin": ([4, 8, 16], None),
    "hrnet": ([2, 4, 6, 8], None),
    "unet": ([4, 8, 16, 32], [3, 2, 1, 0]),
    "fcnvgg-bn": ([13, 26, 26], None),
    "convnext": ([4, 6, 8], None),
}
#: Pairs of a backbone and a number of maps; those of HRNet and UNet go together.
PAIRS = [(name, used) for name, (channels, _) in MAPS.items() for used in ([4] if len(channels) == 4 else [1, 2, 3])]
#: Parameters behind maps that the head does not use.
UNUSED = {"unet": "backbone.decoder.0."}
#: Backbones that drop or refuse what does not fill a cell.
SIZE_DIVISOR = {"convnext": 32, "unet": 16}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("mmseg")


def settings(name, used, **model):
    """The config of a segmentor, which says nothing of geometry."""
    channels, in_index = MAPS[name]
    backbone = dict(BACKBONES[name])
    if used < len(channels):  # else a map would be unused
        backbone["out_indices"] = tuple(backbone.get("out_indices", (2, 3, 4) if "vgg" in name else (1, 2, 3)))[-used:]
    return ConfigDict(
        type="AlignedEncoderDecoder",
        backbone=backbone,
        decode_head=dict(type=HEADS[used], in_channels=channels[-used:], in_index=in_index, num_classes=3),
        size_divisor=SIZE_DIVISOR.get(name, 1),
        **model,
    )


def build(name, used, **model):
    return MODELS.build(settings(name, used, **model))


def test_channels_last_changes_the_memory_alone():
    model, images = build("mobilenet-v2", 3).eval(), torch.randn(2, 3, 40, 50)
    expected, seen = model(images, mode="tensor"), []
    model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.channels_last = True
    torch.testing.assert_close(model(images, mode="tensor"), expected)
    assert seen[0].is_contiguous(memory_format=torch.channels_last) and not seen[0].is_contiguous()
    assert build("mobilenet-v2", 3, channels_last=True).channels_last


def sample(height, width):
    label = torch.randint(0, 3, (1, height, width))
    meta = dict(img_path="", **dict.fromkeys(("ori_shape", "img_shape", "pad_shape"), (height, width)))
    return SegDataSample(gt_sem_seg=PixelData(data=label), metainfo=meta)


def randomise_scores(model):
    for name in model.decode_head.score_names:
        torch.nn.init.normal_(getattr(model.decode_head, name).weight)
    return model


@pytest.mark.parametrize("name, used", PAIRS)
def test_training_step_and_sizes_of_the_logits(name, used, monkeypatch):
    """All parameters take part, as distributed training demands; the toolbox's resizing of logits is forbidden."""

    def no_resize(input, size, **kwargs):
        assert tuple(input.shape[2:]) == tuple(size)
        return input

    monkeypatch.setattr("mmseg.models.decode_heads.decode_head.resize", no_resize)
    monkeypatch.setattr("mmseg.models.segmentors.base.resize", no_resize)
    torch.manual_seed(0)
    model = randomise_scores(build(name, used)).train()
    loss = model(torch.randn(2, 3, 66, 97), [sample(66, 97), sample(66, 97)], mode="loss")["decode.loss_ce"]
    loss.backward()
    assert torch.isfinite(loss)
    without = [key for key, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert all(key.startswith(UNUSED.get(name, "none")) for key in without)
    assert bool(without) == (name in UNUSED)
    first = next(p for p in model.backbone.parameters())
    assert first.grad.abs().sum() > 0 and all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    model.eval()
    with torch.no_grad():
        for height, width in [(1, 1), (1, 38), (45, 3), (33, 64), (67, 95)]:
            image = torch.randn(1, 3, height, width)
            (predicted,) = model(image, [sample(height, width)], mode="predict")
            assert predicted.seg_logits.data.shape == (3, height, width)
        assert torch.equal(model(image, mode="tensor")[0], predicted.seg_logits.data)


def linear_probe(model):
    """What tells the boundary of images in the logits of a linear copy of the backbone.

    All scores of class 1 are the distance of their cells from a pixel ``at``, those of class 0 nothing: the boundary of
    the classes lies where their logits are equal.
    """
    extractor = LinearFeatureExtractor(without_interpolated_paths(model.backbone))
    head = model.double().eval().decode_head

    def features(at, turned=False):
        image = (torch.arange(1024, dtype=torch.float64) - at).expand(1, 1, 32, 1024)
        return extractor.maps((image.transpose(2, 3) if turned else image).requires_grad_())

    coord_maps = model.extract_feat(torch.zeros(1, 3, 32, 1024, dtype=torch.float64)).coord_maps
    near, further = features(0), features(-1)
    for name, index in zip(head.score_names, reversed(head.in_index)):
        rows, columns = near[index].shape[2:]
        one = (further[index] - near[index])[0, :, rows // 2, columns // 2].sum()  # by the weights of the copy
        getattr(head, name).weight.data[1] = 1 / one.detach()

    def boundary(turned, at):
        size = (1024, 32) if turned else (32, 1024)
        difference = head(ImageFeatures(features(at, turned), size, coord_maps))[0, 1].detach()
        profile = (difference.T if turned else difference)[16, 256:768]  # far from the ends, which paddings change
        (after,) = torch.nonzero((profile[1:] >= 0) & (profile[:-1] < 0))[:, 0].tolist()
        before, step = profile[after], profile[after + 1] - profile[after]
        return 256 + after - float(before / step)

    return boundary


@pytest.mark.parametrize("name, used", PAIRS)
def test_boundary_lies_on_its_pixel(name, used):
    """Vertical ones and horizontal ones."""
    boundary = linear_probe(build(name, used))
    for turned, at in [(False, 500), (False, 517.25), (True, 517.25), (True, 530.5)]:
        assert boundary(turned, at) == pytest.approx(at, abs=1e-4)


@pytest.mark.parametrize("name", ["resnet18-v1c", "swin", "hrnet"])
@pytest.mark.parametrize("wrong", [-1, 0], ids=["coarsest", "finest"])
def test_boundary_moves_with_a_wrong_offset(name, wrong, monkeypatch):
    """The test above sees an offset of half a stride in one of the maps; it is refused where the backbone is known."""
    used = len(MAPS[name][0])
    maps = list(MODELS.build(settings(name, used)).decode_head.feature_maps)
    error = maps[wrong].stride / 2
    maps[wrong] = CoordMap(maps[wrong].stride, maps[wrong].offset + error)
    cfg = settings(name, used)
    cfg.decode_head.geometry = [dict(stride=one.stride, offset=one.offset) for one in maps]
    with pytest.raises(ValueError, match="decode_head.geometry says that the feature maps lie at"):
        MODELS.build(cfg)
    monkeypatch.setattr(known_backbones, "BACKBONES", {})  # nothing is known, so that the declaration is believed
    cfg.decode_head.border = "replicate"  # each map has the same weight in all rows
    assert linear_probe(MODELS.build(cfg))(False, 517.25) == pytest.approx(517.25 + float(error) / used, abs=0.05)


def test_same_weights_as_in_the_toolbox():
    """Names of parameters are EncoderDecoder's, so that its checkpoints load."""
    for name in ("resnet18-v1c", "hrnet"):
        cfg = settings(name, len(MAPS[name][0]))
        aligned = MODELS.build(cfg).state_dict()
        del cfg["size_divisor"]
        cfg.type = "EncoderDecoder"
        cfg.decode_head = dict(type="FCNHead", in_channels=8, channels=4, num_classes=3)
        plain = MODELS.build(cfg).state_dict()
        shapes = [{k: v.shape for k, v in weights.items() if k.startswith("backbone.")} for weights in (aligned, plain)]
        assert shapes[0] == shapes[1] and len(shapes[0]) > 50


def test_unknown_backbone_with_declared_geometry():
    mit = dict(type="MixVisionTransformer", embed_dims=4, num_layers=[1, 1, 1, 1], num_heads=[1, 1, 1, 1])
    head = dict(type="FCN8sHead", in_channels=[4, 4, 4], num_classes=3)
    cfg = ConfigDict(type="AlignedEncoderDecoder", backbone=mit, decode_head=head)
    with pytest.raises(
        ValueError, match="maps of this backbone lie is not known.*decode_head.geometry=.*tools/alignment.py"
    ):
        MODELS.build(cfg)
    cfg.decode_head.geometry = [dict(stride=stride, offset=0) for stride in (8, 16, 32)]
    model = MODELS.build(cfg).eval()
    features = model.extract_feat(torch.zeros(1, 3, 64, 70))
    assert features.coord_maps[0] is None and features.coord_maps[1:] == model.decode_head.feature_maps
    assert model(torch.zeros(1, 3, 64, 70), mode="tensor").shape == (1, 3, 64, 70)
    cfg.decode_head.geometry[0].stride = 4
    wrong = (
        r"strides of 4, 16, 32 in the maps \[-3, -2, -1\], but the feature extractor gives .*"
        "1: 4 channels at stride 8.*: set in_"
    )
    with pytest.raises(ValueError, match=wrong):
        MODELS.build(cfg)


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"decode_head.in_channels": [4, 8, 16]},
            r"in_channels=\[4, 8, 16\] in the maps \[-3, -2, -1\], but the feature extractor gives 0: 4 channels at"
            " stride 4, 1: 8 channels at stride 8, .*: leave in_channels out, or set in_index to other maps",
        ),
        (
            {"size_divisor": 8, "auxiliary_head": dict(type="FCNHead", in_channels=8, channels=4, num_classes=3)},
            "size_divisor=8 pads maps, which FCNHead would stretch .*: pad .* model.data_preprocessor.size_divisor",
        ),
        ({"size_divisor": 0}, "size_divisor must be an integer of 1 or more, got 0"),
        (
            {"auxiliary_head": [dict(type="FCN32sHead", num_classes=3, border=1)]},
            "^auxiliary_head.0: border must be",
        ),
        (
            {"neck": dict(type="FCConvNeck", in_channels=8, fc6_padding="same")},
            r"FCConvNeck does not take the maps of the backbone \(4 channels at stride 4; .*32 channels at stride 32\)",
        ),
    ],
)  # fmt: skip
def test_misfits_are_found_when_the_model_is_built(changes, message):
    cfg = settings("resnet18-v1c", 3)
    for key, value in changes.items():
        *parents, last = key.split(".")
        part = cfg
        for parent in parents:
            part = part[parent]
        part[last] = value
    with pytest.raises(ValueError, match=message):
        MODELS.build(cfg)


def test_auxiliary_heads():
    auxiliary = [
        dict(type="FCN16sHead", in_channels=[8, 16], in_index=[1, 2], num_classes=3),
        dict(type="FCNHead", in_channels=16, channels=4, in_index=2, num_classes=3, norm_cfg=dict(type="BN")),
    ]
    model = build("resnet18-v1c", 3, auxiliary_head=auxiliary)
    losses = model(torch.randn(2, 3, 64, 64), [sample(64, 64), sample(64, 64)], mode="loss")
    assert {"decode.loss_ce", "aux_0.loss_ce", "aux_1.loss_ce"} <= losses.keys()
    assert model.auxiliary_head[0].feature_maps == (CoordMap(8, 0), CoordMap(16, 0))


@pytest.mark.parametrize(
    "name, size, message",
    [
        ("unet", (45, 64), r"UNet does not take images of \(45, 64\) pixels: set model.size_divisor=16"),
        (
            "convnext",
            (20, 64),
            r"ConvNeXt drops pixels of images of \(20, 64\) that do not fill a cell: set model.size_divisor=32",
        ),
    ],
)
def test_sizes_that_a_backbone_does_not_take(name, size, message):
    model = build(name, len(MAPS[name][0])).eval()
    model.size_divisor = 1
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(1, 3, *size), mode="tensor")


def test_errors_that_have_nothing_to_do_with_the_size_stay_as_they_are():
    model = build("resnet18-v1c", 3).eval()
    with pytest.raises(RuntimeError, match="to have 3 channels, but got 4"):
        model(torch.zeros(1, 4, 45, 64), mode="tensor")


def test_padding_of_the_network_is_not_seen_outside():
    """As if the data preprocessor had padded, and the logits had been cropped."""
    model = randomise_scores(build("resnet18-v1c", 3)).eval()
    image = torch.randn(1, 3, 45, 70)
    padded = torch.nn.functional.pad(image, (0, 26, 0, 19))
    with torch.no_grad():
        expected = model(padded, mode="tensor")[:, :, :45, :70]
        model.size_divisor = 32
        assert torch.equal(model(image, mode="tensor"), expected)


def test_a_whole_model_in_two_lines():
    """On another backbone: channels, positions, border, preparation of the input and whole images are the defaults."""
    backbone = dict(BACKBONES["resnet18-v1c"], strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
    cfg = dict(type="AlignedEncoderDecoder", backbone=backbone, decode_head=dict(type="FCN8sHead", num_classes=3))
    model = MODELS.build(cfg).eval()
    assert model.decode_head.in_channels == [8, 16, 32] and model.decode_head.border == "replicate"
    assert model.decode_head.feature_maps == (CoordMap(8, 0),) * 3  # dilated, as most of the toolbox's configs
    picture = torch.full((3, 50, 41), 255, dtype=torch.uint8)
    data = model.data_preprocessor(dict(inputs=[picture], data_samples=[sample(50, 41)]))
    assert data["inputs"][0, :, 0, 0].tolist() == pytest.approx([2.2489, 2.4286, 2.64], abs=1e-3)
    (predicted,) = model.predict(**data)
    assert predicted.pred_sem_seg.data.shape == (1, 50, 41)
    losses = model.train().loss(data["inputs"].repeat(2, 1, 1, 1), [sample(50, 41)] * 2)
    assert torch.isfinite(losses["decode.loss_ce"])


FPN = dict(type="FPN", in_channels=[4, 8, 16, 32], out_channels=6, num_outs=4)
FC_CONV = dict(type="FCConvNeck", in_channels=32, channels=5, fc6_kernel=3, fc6_padding="same")


@pytest.mark.parametrize(
    "neck, head, channels, strides",
    [
        (FPN, "FCNSkipHead", [6] * 4, (4, 8, 16, 32)),
        (FC_CONV, "FCN8sHead", [8, 16, 5], (8, 16, 32)),
    ],
)
def test_necks(neck, head, channels, strides):
    """Their levels lie where the backbone's maps do."""
    head = dict(type=head, num_classes=3)
    cfg = dict(type="AlignedEncoderDecoder", backbone=BACKBONES["resnet18-v1c"], neck=neck, decode_head=head)
    model = MODELS.build(cfg).eval()
    assert model.decode_head.in_channels == channels
    assert model.decode_head.feature_maps == tuple(CoordMap(stride, 0) for stride in strides)
    assert model(torch.zeros(1, 3, 45, 67), mode="tensor").shape == (1, 3, 45, 67)


def test_network_that_pads_by_the_size_of_the_image():
    backbone = dict(type="TIMMBackbone", model_name="tf_efficientnet_lite0", pretrained=False)
    cfg = dict(type="AlignedEncoderDecoder", backbone=backbone, decode_head=dict(type="FCN8sHead", num_classes=3))
    with pytest.raises(ValueError, match="do not fill their cells: set model.size_divisor=32"):
        MODELS.build(cfg)
    model = MODELS.build(dict(cfg, size_divisor=32)).eval()
    assert model.decode_head.feature_maps == (CoordMap(8, 7), CoordMap(16, 15), CoordMap(32, 31))
    assert model(torch.zeros(1, 3, 45, 67), mode="tensor").shape == (1, 3, 45, 67)


def test_slide_mode_and_test_time_augmentation():
    cfg = settings("resnet18-v1c", 3)
    cfg.test_cfg = dict(mode="slide", crop_size=(40, 48), stride=(30, 40))
    cfg.data_preprocessor = dict(type="SegDataPreProcessor", mean=[0.0] * 3, std=[1.0] * 3, size_divisor=1)
    tta = MODELS.build(dict(type="SegTTAModel", module=cfg)).eval()
    image, one = torch.randn(3, 70, 88), sample(70, 88)
    mirrored = sample(70, 88)
    mirrored.set_metainfo(dict(flip=True, flip_direction="horizontal"))
    with torch.no_grad():
        (result,) = tta.test_step(dict(inputs=[[image], [image.flip(2)]], data_samples=[[one], [mirrored]]))
    assert result.pred_sem_seg.data.shape == (1, 70, 88)


def test_heads_of_the_toolbox_work_as_in_encoder_decoder():
    torch.manual_seed(0)
    head = dict(type="PSPHead", in_channels=32, channels=4, pool_scales=(1, 2), num_classes=3)
    cfg = ConfigDict(backbone=BACKBONES["resnet18-v1c"], decode_head=head, test_cfg=dict(mode="whole"))
    aligned = MODELS.build(dict(type="AlignedEncoderDecoder", **cfg)).eval()
    plain = MODELS.build(dict(type="EncoderDecoder", **cfg)).eval()
    plain.load_state_dict(aligned.state_dict())
    image = torch.randn(1, 3, 50, 60)
    assert torch.equal(aligned(image, mode="tensor"), plain(image, mode="tensor"))
    cfg.backbone = dict(type="FCNVGG", width=0.05)
    cfg.decode_head.in_channels = 26
    with pytest.raises(ValueError, match=r"PSPHead stretches map -1 over the image.*offset -83.5.*backbone.padding=1"):
        MODELS.build(dict(type="AlignedEncoderDecoder", **cfg))
