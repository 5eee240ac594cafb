import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset

from fcn_plugin.apis.class_meta import class_meta, known_class_meta, reduces_zero_label
from fcn_plugin.datasets import CamVidDataset, ShapesDataset

SHAPES = dict(ShapesDataset.METAINFO, classes=list(ShapesDataset.METAINFO["classes"]))


def config(kind="ShapesDataset", loader="test_dataloader", **settings):
    return Config({loader: dict(dataset=dict(type="RepeatDataset", dataset=dict(type=kind, **settings)))})


def test_the_weights_come_first():
    own = dict(classes=tuple("abcdef"), palette=[[i, i, i] for i in range(6)])
    expected = dict(classes=list("abcdef"), palette=[[i, i, i] for i in range(6)])
    assert class_meta(6, config(), dict(dataset_meta=own)) == expected


@pytest.mark.parametrize(
    "meta", [{}, dict(dataset_meta=None), dict(dataset_meta=dict(classes=["a"], palette=[[1] * 3]))]
)
@pytest.mark.parametrize("loader", ["test_dataloader", "train_dataloader"])
def test_then_the_config(meta, loader):
    assert class_meta(6, config(loader=loader), meta) == SHAPES


def test_config_with_names_of_its_own():
    """Colours, if there are none to go with them, are made up, the same each time."""
    names = ["x", "y", "z"]
    cfg = config(metainfo=dict(classes=names))
    assert known_class_meta(3, cfg, {}) == dict(classes=names)
    one, two = (class_meta(3, cfg, {}) for _ in range(2))
    assert one == two and one["classes"] == names
    assert len({tuple(colour) for colour in one["palette"]}) == 3
    palette = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    cfg = config(metainfo=dict(classes=names, palette=palette))
    assert class_meta(3, cfg, {}) == dict(classes=names, palette=palette)


@pytest.mark.parametrize("cfg", [config(), Config(dict(model={})), config("NoSuchDataset")])
def test_unknown(cfg):
    assert known_class_meta(4, cfg, {}) == {}
    meta = class_meta(4, cfg, {})
    assert meta["classes"] == ["class 0", "class 1", "class 2", "class 3"]
    assert len({tuple(colour) for colour in meta["palette"]}) == 4


def test_given():
    own = dict(dataset_meta=dict(classes=tuple("abcdefghijk"), palette=[[1] * 3] * 11))
    assert class_meta(11, config(), own, "CamVidDataset")["palette"] == [
        list(c) for c in CamVidDataset.METAINFO["palette"]
    ]
    with pytest.raises(ValueError, match="CamVidDataset has 11 classes, the model 6"):
        class_meta(6, config(), {}, "CamVidDataset")
    with pytest.raises(ValueError, match="no data set 'Nothing' with names and colours"):
        class_meta(6, config(), {}, "Nothing")


class Reduced(BaseSegDataset):
    """Of a user: its files have the first class as 1."""

    def __init__(self, **kwargs):
        super().__init__(reduce_zero_label=True, **kwargs)


SAVED = dict(dataset_meta=dict(classes=("x",), palette=[[0] * 3], reduce_zero_label=True))


@pytest.mark.parametrize(
    "cfg, meta, expected",
    [
        (config(), {}, False),
        (config(reduce_zero_label=True), {}, True),
        (config("ADE20KDataset"), {}, True),
        (config("mmseg.ADE20KDataset", reduce_zero_label=False), SAVED, False),
        (config(Reduced), {}, True),
        (config(), SAVED, False),
        (Config(dict(model={})), SAVED, True),
        (config("NoSuchDataset"), SAVED, True),
        (config("NoSuchDataset"), {}, False),
    ],
)
def test_first_index(cfg, meta, expected):
    """That of the files: 1 with reduce_zero_label, as the data set of the config has it."""
    init_default_scope("mmseg")
    assert reduces_zero_label(cfg, meta) is expected
    assert class_meta(6, cfg, meta).get("reduce_zero_label", False) is expected
