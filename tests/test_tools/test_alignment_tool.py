"""tools/alignment.py as a process of its own, on narrow networks."""

import numpy as np
import pytest
from PIL import Image
from testing.utils import run_tool

#: VGG16 with padding=1: pool3, pool4 and a same-padded fc7 lie at 3.5, 7.5 and 15.5.
VGG = """
default_scope = 'mmseg'
custom_imports = dict(imports=['fcn_plugin'], allow_failed_imports=False)
backbone = dict(type='FCNVGG', width=0.02, padding=1)
neck = dict(type='FCConvNeck', in_channels=10, channels=4, fc6_padding='same')
model = dict(
    type='AlignedEncoderDecoder', backbone=backbone, neck=neck,
    decode_head=dict(type='FCN8sHead', in_channels=[5, 10, 4], num_classes=2))
"""
SETTING = "[dict(stride=8, offset=3.5), dict(stride=16, offset=7.5), dict(stride=32, offset=15.5)]"
#: A backbone and a head of the toolbox; weights are named that are not there.
RESNET = """
model = dict(
    type='EncoderDecoder', pretrained='missing.pth',
    backbone=dict(type='ResNetV1c', depth=18, base_channels=2, stem_channels=2, out_indices=(1, 3)),
    decode_head=dict(type='FCNHead', in_channels=16, channels=2, num_classes=2))
"""

#: A backbone of the toolbox whose maps must be declared; the second one is declared half a cell off.
STDC = """
default_scope = 'mmseg'
custom_imports = dict(imports=['fcn_plugin'], allow_failed_imports=False)
model = dict(
    type='AlignedEncoderDecoder',
    backbone=dict(
        type='STDCNet', stdc_type='STDCNet1', in_channels=3, channels=(2, 4, 8, 16, 32), bottleneck_type='cat',
        num_convs=4, norm_cfg=dict(type='BN'), act_cfg=dict(type='ReLU'), with_final_conv=False),
    decode_head=dict(type='FCN8sHead', num_classes=2, geometry=[
        dict(stride=8, offset=0), dict(stride=16, offset=8), dict(stride=32, offset=0)]))
"""


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "config.py"
        path.write_text(text)
        return path

    return write


def rows(stdout):
    """Stride, offset and field of each map in the table."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in stdout.splitlines() if line.startswith("|")]
    return {cells[0]: cells[2:] for cells in cells[1:]}


def test_config_that_agrees_and_a_picture(config, tmp_path):
    Image.fromarray(np.full((150, 210, 3), 90, np.uint8)).save(tmp_path / "image.png")
    out = run_tool("alignment.py", config(VGG), "--image", "image.png",
                   "--out", "fields.png", cwd=tmp_path).check()  # fmt: skip
    assert rows(out.stdout) == {
        "0": ["8", "3.5", "44 x 44", "(stride 8, offset 3.5)"],
        "1": ["16", "7.5", "100 x 100", "(stride 16, offset 7.5)"],
        "2": ["32", "15.5", "404 x 404", "(stride 32, offset 15.5)"],
    }
    assert f"decode_head.geometry={SETTING}\nThe config says the same.\n" in out.stdout
    assert "Picture of 128 x 192 pixels: fields.png" in out.stdout
    with Image.open(tmp_path / "fields.png") as picture:
        assert picture.width > 1000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.py", "fields.png", "image.png"]


def test_wrong_geometry_is_an_error(config, tmp_path):
    """Of a backbone that nothing else is known of."""
    out = run_tool("alignment.py", config(STDC), cwd=tmp_path)
    assert out.returncode == 1 and rows(out.stdout)["1"][:2] == ["16", "0"]
    right = "[dict(stride=8, offset=0), dict(stride=16, offset=0), dict(stride=32, offset=0)]"
    assert out.errors == [
        "error: the config says that map 1 lies at (stride 16, offset 8), measured at (stride 16, offset 0):"
        f" set model.decode_head.geometry={right}"
    ]


def test_backbone_and_head_of_the_toolbox(config, tmp_path):
    out = run_tool("alignment.py", config(RESNET), "--index", -1, "--cfg-options", "model.backbone.depth=34",
                   cwd=tmp_path).check()  # fmt: skip
    stages = [3, 4, 6, 3]  # of ResNet-34; each block sees two 3x3 convolutions
    field, stride = 1 + 2 + 2 * 2 + 2 * 2 + 2 * 2, 4  # the stem of three convolutions and the pooling
    for stage, blocks in enumerate(stages):
        field += 2 * stride * (stage > 0) + 2 * (2 if stage else 1) * stride * (2 * blocks - (stage > 0))
        stride *= 1 if stage == 0 else 2
    assert rows(out.stdout) == {"1": ["32", "0", f"{field} x {field}", "not stated"]}
    assert "Maps 1: decode_head.geometry=[dict(stride=32, offset=0)]\nThe config does not state" in out.stdout


def test_network_that_has_no_position(config, tmp_path):
    out = run_tool("alignment.py", config(RESNET), "--cfg-options", "model.backbone.type=ResNetV1d", cwd=tmp_path)
    assert out.returncode == 1 and rows(out.stdout)["0"][:2] == ["-", "-"]
    assert len(out.errors) == 1 and "error: map 0 has no one position" in out.errors[0]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--cfg-options", "model.backbone.depth=17"], "error: ResNetV1c cannot be built: "),
        (
            ["--cfg-options", "model.neck.type=FCConvNeck"],
            "error: ResNetV1c and FCConvNeck cannot be measured: a layer of 512 input channels is given 16",
        ),
        (["--index", 2], "error: there is no feature map 2: ResNetV1c returns 2, 0 to 1"),
        (["--out", "fields.mp3"], "error: a picture must end in "),
        (["--out", "fields.png", "--image", "missing.png"], "error: there is no image missing.png"),
        (["--out", "fields.png", "--size", 60, 80], "error: an image to draw on must have 64 x 64 pixels or more"),
    ],
)
def test_wrong_input(config, refuses, arguments, message):
    assert "|" not in refuses(message, "alignment", config(RESNET), *arguments)


def test_image_without_a_picture_to_write(config, tmp_path):
    out = run_tool("alignment.py", config(RESNET), "--image", "image.png", cwd=tmp_path)
    assert out.returncode == 2 and "--image needs --out PICTURE" in out.stderr
