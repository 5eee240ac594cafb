"""The convolutional fc7 against the classifier of mmpretrain's VGG16, from the same checkpoint."""

import pytest
import torch
from testing.utils import skip_on_openmmlab

from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.models.necks import FCConvNeck


@pytest.mark.slow
def test_fc7_equals_the_classifiers(tmp_path):
    skip_on_openmmlab("mmpretrain")
    from mmpretrain.models import VGG

    vgg = VGG(depth=16, num_classes=10)
    vgg.eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in vgg.parameters():
            scale = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.1
            parameter.normal_(0, scale)
    file = tmp_path / "vgg16.pth"
    torch.save(dict(state_dict={f"backbone.{key}": value for key, value in vgg.state_dict().items()}), file)
    pretrained = dict(type="Pretrained", checkpoint=str(file))
    backbone, neck = FCNVGG(padding=1, init_cfg=pretrained).eval(), FCConvNeck(init_cfg=pretrained).eval()
    backbone.init_weights()
    neck.init_weights()
    file.unlink()

    image = torch.randn(1, 3, 224, 224)
    seen = []
    vgg.classifier[4].register_forward_hook(lambda module, args, out: seen.append(out.detach()))
    with torch.no_grad():
        vgg(image)
        fc7 = neck(backbone(image))[-1]
    assert vgg.classifier[4].__class__.__name__ == "ReLU" and fc7.shape == (1, 4096, 1, 1)
    assert seen[0].std() > 0.1
    torch.testing.assert_close(fc7[:, :, 0, 0], seen[0], rtol=1e-4, atol=1e-4)
