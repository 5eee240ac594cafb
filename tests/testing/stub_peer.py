"""A package of the names and the structure of pytorch-fcn, but with a narrow FCN32s."""

from __future__ import annotations

from pathlib import Path

from testing.utils import FC7, POOL3, POOL4, POOL5

#: Importing the package itself needs what is not there, as with the real one.
UNUSABLE = "raise ImportError('needs pytz and scikit-image')\n"
FCN32S = f"""
import fcn  # its download helper
from torch import nn

from fcn_plugin.models.layers.bilinear_upsample import bilinear_kernel


class FCN32s(nn.Module):
    def __init__(self, n_class=21):
        super().__init__()
        channels = 3
        self.stages = []
        for stage, (count, planes) in enumerate([(2, 3), (2, 6), (3, {POOL3}), (3, {POOL4}), (3, {POOL5})], start=1):
            for number in range(1, count + 1):
                name = f"conv{{stage}}_{{number}}"
                self.add_module(name, nn.Conv2d(channels, planes, 3, padding=100 if name == "conv1_1" else 1))
                self.stages.append(name)
                channels = planes
            self.stages.append("pool")
        self.pool = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.relu = nn.ReLU(inplace=True)
        self.fc6 = nn.Conv2d(channels, {FC7}, 7)
        self.fc7 = nn.Conv2d({FC7}, {FC7}, 1)
        self.drop = nn.Dropout2d()
        self.score_fr = nn.Conv2d({FC7}, n_class, 1)
        self.upscore = nn.ConvTranspose2d(n_class, n_class, 64, stride=32, bias=False)
        self.upscore.weight.data.zero_()
        self.upscore.weight.data[range(n_class), range(n_class)] = bilinear_kernel(64)

    def forward(self, x):
        h = x
        for name in self.stages:
            h = self.pool(h) if name == "pool" else self.relu(getattr(self, name)(h))
        h = self.drop(self.relu(self.fc6(h)))
        h = self.drop(self.relu(self.fc7(h)))
        h = self.upscore(self.score_fr(h))
        return h[:, :, 19 : 19 + x.size()[2], 19 : 19 + x.size()[3]].contiguous()
"""


def make_stub_peer(folder: Path) -> Path:
    """Write the package; the folder is to be put on Python's path."""
    models = folder / "torchfcn" / "models"
    models.mkdir(parents=True)
    for package in (models, models.parent):
        (package / "__init__.py").write_text(UNUSABLE)
    (models / "fcn32s.py").write_text(FCN32S)
    (models / "fcn16s.py").write_text("from .fcn32s import FCN32s as FCN16s")
    (models / "fcn8s.py").write_text("from .fcn32s import FCN32s as FCN8s, FCN32s as FCN8sAtOnce")
    return folder
