import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from fcn_plugin.evaluation.prediction_names import leaves_of, name_of, prediction_names
from fcn_plugin.evaluation.writing_metrics import writes_alone, writing_metrics

META = dict(classes=["a", "b"], palette=[[0] * 3, [1] * 3])


def dataset(folder, names=None, prefix="images", **settings):
    """A data set of the names in a list, or of all images in the directory."""
    if names:
        (folder / f"{prefix}.txt").write_text("".join(f"{name}\n" for name in names))
    init_default_scope("mmseg")
    return DATASETS.build(
        dict(
            type="BaseSegDataset",
            data_root=str(folder),
            ann_file=f"{prefix}.txt" if names else "",
            data_prefix=dict(img_path=prefix),
            metainfo=META,
            **settings,
        )
    )


def test_folders_stay(tmp_path):
    """Those below the directory of the images; of what is elsewhere, the name of the file."""
    given = ["ulm/a.b", "bonn/a.b", "c", "../other/d", "/nowhere/e", "./f/../g"]
    names = prediction_names(dataset(tmp_path, given))
    assert list(names.values()) == ["ulm/a.b", "bonn/a.b", "c", "d", "e", "g"]
    assert names[str(tmp_path / "images/ulm/a.b.jpg")] == "ulm/a.b"
    assert name_of("/nowhere/x/y.jpg", names) == "y"


def test_all_of_a_directory(tmp_path):
    for name in ("ulm/a_leftImg8bit.jpg", "bonn/a_leftImg8bit.jpg"):
        (tmp_path / "images" / name).parent.mkdir(parents=True)
        (tmp_path / "images" / name).touch()
    names = prediction_names(dataset(tmp_path))
    assert list(names.values()) == ["bonn/a_leftImg8bit", "ulm/a_leftImg8bit"]


def test_images_of_another_storage(tmp_path):
    remote = dataset(tmp_path, ["a"])
    remote.serialize_data, remote.data_prefix = False, dict(img_path="s3://bucket/images")
    remote.data_list = [dict(img_path="s3://bucket/images/ulm/a.jpg")]
    del remote.data_address
    assert prediction_names(remote) == {"s3://bucket/images/ulm/a.jpg": "ulm/a"}


def test_wrappers_and_other_kinds(tmp_path):
    one, two = dataset(tmp_path, ["a"], "one"), dataset(tmp_path, ["b"], "two")
    wrapped = DATASETS.build(
        dict(type="ConcatDataset", datasets=[one, dict(type="RepeatDataset", dataset=two, times=2)])
    )
    assert list(leaves_of(wrapped)) == [one, two]
    assert list(prediction_names(wrapped).values()) == list(prediction_names(one, two).values()) == ["a", "b"]
    assert prediction_names(["no data set"], one, one) == prediction_names(one)


def test_two_of_one_name(tmp_path):
    message = "predictions of {0}/one/a.jpg and {0}/two/a.jpg would overwrite each other .a.: test them apart"
    with pytest.raises(ValueError, match=message.format(tmp_path)):
        prediction_names(dataset(tmp_path, ["a"], "one"), dataset(tmp_path, ["a"], "two"))


def test_metrics_that_write():
    init_default_scope("mmseg")
    ours, toolbox = dict(type="FCNMetric", format_only=True), dict(type="mmseg.IoUMetric")
    assert writing_metrics(ours, "test_evaluator") == {"test_evaluator": ours}
    both = Config(dict(e=dict(type="Evaluator", metrics=[ours, dict(type="DepthMetric"), toolbox]))).e
    assert list(writing_metrics(both, "e")) == ["e.metrics.0", "e.metrics.1", "e.metrics.2"]
    assert writing_metrics(None, "e") == writing_metrics([], "e") == writing_metrics([dict(type="Nothing")], "e") == {}
    assert [writes_alone(one, "e") for one in (ours, [ours], [ours, ours], [ours, toolbox], toolbox, [])] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert not writes_alone([ours, dict(type="Nothing")], "e")
