"""The diagram of a network: its numbers are the model's, also in the picture of the docs."""

import re
from html import unescape

import pytest
from matplotlib.text import Annotation
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from testing.utils import ROOT

from fcn_plugin.checks.weights import model_to_check
from fcn_plugin.visualization.figures import save_figure
from fcn_plugin.visualization.network_diagram import draw_network

#: What a shipped config's diagram says, in order of drawing, without the title.
REFERENCE = """
image H x W / stride 8 offset -95.5 256 channels / stride 16 offset -91.5 512 channels
stride 32 offset 12.5 4096 channels
score_pool3 1x1, 256 to 21 / score_pool4 1x1, 512 to 21 / score_fr 1x1, 4096 to 21
scores / sum stride 16 offset -11.5 / upscore2 x2, kernel 4 crop 0 / crop 5
sum stride 8 offset -23.5 / upscore_pool4 x2, kernel 4 crop 0 / crop 9
logits 21 x H x W / upscore8 x8, kernel 16 crop 31
"""


def words(figure):
    texts = [text for text in figure.axes[0].texts if not isinstance(text, Annotation)]
    return [text.get_text().replace("\n", " ") for text in texts]


def model_of(name):
    return model_to_check(Config.fromfile(ROOT / f"configs/{name}.py"))


def test_of_the_reference_and_of_the_docs(tmp_path):
    figure = draw_network(model_of("fcn8s_vgg16_voc"))
    assert words(figure) == re.split(r" / |\n", REFERENCE.strip())
    assert figure.axes[0].get_title() == "FCN8sHead on FCNVGG + FCConvNeck"
    drawn = unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)<", (ROOT / "docs/images/fcn8s.svg").read_text())))
    lines = {line for text in figure.axes[0].texts for line in text.get_text().split("\n") if line}
    assert lines and all(line in drawn for line in lines)
    save_figure(figure, tmp_path / "network.png")


def test_scales_and_odd_kernels():
    assert {"x 0.0001", "x 0.01"} <= set(words(draw_network(model_of("fcn8s-atonce_vgg16_voc"))))
    model = MODELS.build(
        dict(
            type="AlignedEncoderDecoder",
            backbone=dict(type="ResNetV1c", depth=18, base_channels=4, out_indices=(1, 2, 3), strides=(1, 2, 2, 1)),
            decode_head=dict(type="FCNSkipHead", num_classes=5),
        )
    )
    figure = draw_network(model)
    assert figure.axes[0].get_title() == "FCNSkipHead on ResNetV1c"
    assert words(figure)[7:] == [
        "scores",
        *("sum stride 16 offset 0", "as it is crop 0", "crop 0"),
        *("sum stride 8 offset 0", "upscore_pool4 x2, kernel 3 crop 1", "crop 0"),
        *("logits 5 x H x W", "upscore8 x8, kernel 15 crop 7"),
    ]


def test_other_heads_are_refused():
    init_default_scope("mmseg")
    backbone = dict(type="ResNetV1c", depth=18, base_channels=4)
    head = dict(type="FCNHead", in_channels=32, channels=4, num_classes=3)
    with pytest.raises(ValueError, match="diagram shows skip heads .* got a model with FCNHead"):
        draw_network(MODELS.build(dict(type="EncoderDecoder", backbone=backbone, decode_head=head)))
