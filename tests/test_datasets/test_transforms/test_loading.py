import pytest
from mmcv.transforms import LoadImageFromFile, Resize
from mmengine.registry import init_default_scope
from mmseg.datasets.transforms import LoadAnnotations, PackSegInputs

from fcn_plugin.datasets.transforms import LoadLabels
from fcn_plugin.datasets.transforms.loading import image_loader, label_loader, loads_labels, without_label_loaders


class OwnImages(LoadImageFromFile):
    """A loader that no registry knows."""


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
    assert isinstance(label_loader([load, resize, labels]), LoadAnnotations)


def test_loaders():
    """As the pipeline has them, or by default."""
    pipeline = [dict(type=OwnImages, color_type="grayscale"), dict(type="LoadLabels", palette=[[1, 2, 3]])]
    assert type(image_loader(pipeline)) is OwnImages and image_loader(pipeline).color_type == "grayscale"
    assert label_loader(pipeline).palette == [[1, 2, 3]]
    assert type(image_loader([])) is LoadImageFromFile and type(label_loader([])) is LoadLabels
    built = LoadLabels()
    assert label_loader([built]) is built
