import pytest
from mmcv.transforms import Resize
from mmengine.registry import init_default_scope
from mmseg.datasets.transforms import LoadAnnotations, PackSegInputs

from fcn_plugin.datasets.transforms import LoadLabels
from fcn_plugin.datasets.transforms.loading import loads_labels, without_label_loaders


class OwnLabels(LoadAnnotations):
    """A loader that no registry knows."""


LABELS = ["LoadAnnotations", "mmseg.LoadAnnotations", "LoadLabels", LoadLabels, OwnLabels]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("mmseg")


@pytest.mark.parametrize("kind", LABELS)
def test_labels(kind):
    """By a name with or without scope, or as a class; also inside test-time augmentation."""
    load, resize, pack = dict(type="LoadImageFromFile"), dict(type="Resize", scale=(9, 9)), dict(type=PackSegInputs)
    labels = dict(type=kind)
    assert [loads_labels(step) for step in (load, resize, labels, pack, LoadLabels(), Resize(scale=9))] == [
        False, False, True, False, True, False,
    ]  # fmt: skip
    tta = dict(type="TestTimeAug", transforms=[[resize, resize], [labels], [pack]])
    pipeline = [load, labels, tta]
    assert without_label_loaders(pipeline) == [load, {**tta, "transforms": [[resize, resize], [pack]]}]
    assert pipeline == [load, labels, tta] and len(tta["transforms"]) == 3
