"""A tiny data set with one broken file each, and with all of them."""

import copy
import functools
import json
import os
import re

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from testing.utils import make_voc

from fcn_plugin import config_dir
from fcn_plugin.checks import cache as check_cache
from fcn_plugin.checks import data as data_check
from fcn_plugin.checks import report, samples
from fcn_plugin.checks.data import check_data, check_samples
from fcn_plugin.checks.report import KINDS
from fcn_plugin.utils import progress
from fcn_plugin.utils.config import set_data_root
from fcn_plugin.utils.images import ORIENTATION

DATALOADERS = ("train_dataloader", "val_dataloader")


class Tree:
    """A copy of the tiny data set, to break files in."""

    def __init__(self, root):
        self.root = make_voc(root)

    def image(self, number):
        return self.root / f"JPEGImages/image{number}.jpg"

    def label(self, number):
        return self.root / f"SegmentationClass/image{number}.png"

    def list(self, split):
        return self.root / f"ImageSets/Segmentation/{split}.txt"

    def read(self, number):
        return np.array(Image.open(self.label(number)))


def index_out_of_range(tree):
    values = tree.read(0)
    values[20, 20:22] = 21, 77
    Image.fromarray(values).save(tree.label(0))
    return "index", f"{tree.label(0)}: 21, 77 (pixels: 2)"


def size_mismatch(tree):
    Image.fromarray(tree.read(1)[:, :-1]).save(tree.label(1))
    return "size", f"{tree.label(1)}: 47x40, the image 48x40"


def missing_image(tree):
    tree.image(2).unlink()
    return "missing image", f"{tree.image(2)}"


def missing_label(tree):
    tree.label(3).unlink()
    return "missing label", f"{tree.label(3)}"


def truncated_image(tree):
    tree.image(4).write_bytes(tree.image(4).read_bytes()[:-200])
    return "unreadable image", f"{tree.image(4)}: truncated, or not a picture"


def truncated_label(tree):
    content = tree.label(5).read_bytes()
    tree.label(5).write_bytes(content[: len(content) - 80])
    return "unreadable label", f"{tree.label(5)}: image file is truncated"


def name_of_no_file(tree):
    with tree.list("train").open("a") as file:
        file.write("ghost\n")
    return "neither", f"{tree.image(0).with_name('ghost.jpg')}, {tree.label(0).with_name('ghost.png')}"


def large_values_in_16_bits(tree):
    values = tree.read(0).astype(np.uint16)
    values[values == 255], values[30, 30] = 0, 40_000
    Image.fromarray(values).save(tree.label(0))
    return "unreadable label", f"{tree.label(0)}: its values go from 0 to 40000"


def empty_image(tree):
    tree.image(0).write_bytes(b"")
    return "unreadable image", f"{tree.image(0)}: truncated, or not a picture"


def text_as_label(tree):
    tree.label(0).write_text("no picture")
    return "unreadable label", f"{tree.label(0)}: cannot identify image file"


def empty_list(tree):
    tree.list("val").write_text("")
    return "empty", f"{tree.list('val')}"


BREAK = [
    *(index_out_of_range, size_mismatch, missing_image, missing_label, truncated_image, truncated_label),
    *(name_of_no_file, large_values_in_16_bits, empty_image, text_as_label, empty_list),
]
TOGETHER = BREAK[:7]  # of which each breaks another file


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setenv("FCN_PLUGIN_CACHE", str(tmp_path / "cache"))
    return Tree(tmp_path / "voc")


@pytest.fixture
def warnings(monkeypatch):
    texts = []
    for module in (data_check, report):
        monkeypatch.setattr(module, "print_log", lambda text, level=0, **_: level and texts.append(text))
    return texts


@functools.cache
def shipped_config(name):
    return Config.fromfile(config_dir() / f"{name}.py")


def config(tree, name="fcn32s_vgg16_voc", **settings):
    cfg = copy.deepcopy(shipped_config(name))
    cfg.merge_from_dict(settings)
    if tree:
        set_data_root(cfg, str(tree.root))
    return cfg


def problems(cfg, dataloaders=DATALOADERS):
    """The report, by kind."""
    with pytest.raises(ValueError) as caught:
        check_samples([cfg], dataloaders)
    first, *lines = str(caught.value).splitlines()
    found = {}
    for line in lines:
        if not line.startswith("  "):
            heading, count = line.rsplit(": ", 1)
            (kind,) = (kind for kind, text in KINDS.items() if text == heading)
            found[kind] = []
        else:
            found[kind].append(line[2:])
    assert found and first.startswith("problems in the data: ") and first.endswith("(--no-check leaves this check out)")
    return found


def test_good_data(tree, warnings):
    check_samples([config(tree)], (*DATALOADERS, "test_dataloader"))
    assert not warnings


@pytest.mark.parametrize("break_file", BREAK, ids=lambda function: function.__name__)
def test_each(break_file, tree, warnings):
    kind, text = break_file(tree)
    found = problems(config(tree))
    assert list(found) == [kind]
    (line,) = found[kind]
    assert line.startswith(text)
    assert not warnings


def test_all_together(tree):
    expected = [break_file(tree) for break_file in TOGETHER]
    found = problems(config(tree))
    assert sum(map(len, found.values())) == len(expected) == 7
    for kind, text in expected:
        assert found[kind] == [text]
    assert list(found) == [kind for kind in KINDS if kind in found]


def test_many_of_a_kind(tree):
    """Twenty are named, and the rest is counted."""
    tree.list("train").write_text("".join(f"ghost{number}\n" for number in range(33)))
    with pytest.raises(ValueError) as caught:
        check_samples([config(tree)], DATALOADERS)
    lines = str(caught.value).splitlines()
    assert lines[:2] == ["problems in the data: 33 (--no-check leaves this check out)", f"{KINDS['neither']}: 33"]
    assert len(lines) == 2 + 20 + 1 and "ghost19.jpg" in lines[-2] and lines[-1] == "  and 13 more"


def test_one_warning_counts_unknown_colours(tree, warnings, recwarn):
    palette = np.array(data_check.DATASETS.get("PascalVOCDataset").METAINFO["palette"], np.uint8)
    counts = 0
    for number in (1, 4):
        values = tree.read(number)
        colours = palette[np.where(values == 255, 0, values)]
        colours[values == 255] = 224, 224, 192
        counts += (values == 255).sum()
        Image.fromarray(colours).save(tree.label(number))
    for _ in range(2):  # the second time from the cache
        check_samples([config(tree)], DATALOADERS)
        (warning,) = warnings
        assert warning.splitlines() == [
            f"labels with colours that are not in the palette, and are ignored ({counts} pixels, 15.3% of"
            " these labels): 2",
            *(f"  {tree.label(number)}" for number in (1, 4)),
        ]
        warnings.clear()
    assert not [warning for warning in recwarn if "palette" in str(warning.message)]


class TestOrientation:
    """OpenCV turns images by their EXIF orientation; labels have none."""

    def turn(self, tree, orientation, crop=slice(None)):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        picture = Image.fromarray(np.array(Image.open(tree.image(0)))[:, crop])
        picture.save(tree.image(0), exif=exif)
        Image.fromarray(tree.read(0)[:, crop]).save(tree.label(0))

    @pytest.mark.parametrize("orientation", [5, 6, 7, 8])
    def test_label_that_was_not_turned(self, orientation, tree):
        self.turn(tree, orientation)
        expected = f"{tree.label(0)}: 48x40, the image 40x48 (only one of them follows the image's EXIF orientation)"
        assert problems(config(tree)) == dict(size=[expected])

    @pytest.mark.parametrize("orientation", [5, 6, 7, 8])
    def test_label_that_was_turned(self, orientation, tree, warnings):
        self.turn(tree, orientation)
        Image.fromarray(tree.read(0).T).save(tree.label(0))
        check_samples([config(tree)], DATALOADERS)
        assert not warnings

    @pytest.mark.parametrize("orientation, crop", [(2, 48), (3, 48), (4, 48), (6, 40)])
    def test_size_that_does_not_tell(self, orientation, crop, tree, warnings):
        self.turn(tree, orientation, slice(crop))
        check_samples([config(tree)], DATALOADERS)
        (warning,) = warnings
        assert "cannot confirm" in warning and warning.endswith(f": 1\n  {tree.image(0)}")

    def test_upright(self, tree, warnings):
        self.turn(tree, 1)
        check_samples([config(tree)], DATALOADERS)
        assert not warnings


class TestSettings:
    def test_ignored_index(self, tree):
        """Labels in training may have the index that the head ignores, and no other one."""
        settings = {"model.decode_head.ignore_index": 100}
        assert list(problems(config(tree, **settings))) == ["index"]
        for number in range(6):
            values = tree.read(number)
            values[values == 255] = 100
            Image.fromarray(values).save(tree.label(number))
        check_samples([config(tree, **settings)], ["train_dataloader"])
        assert len(problems(config(tree))["index"]) == 6

    def test_fewer_classes(self, tree):
        """The map to the config's classes comes first."""
        classes = ("background", "bird", "cat")
        cfg = config(tree)
        for name in DATALOADERS:
            cfg[name].dataset.metainfo = dict(classes=classes)
        check_samples([cfg], DATALOADERS)
        index_out_of_range(tree)
        assert problems(cfg) == dict(index=[f"{tree.label(0)}: 21, 77 (pixels: 2)"])

    def test_reduced_zero(self, tree):
        cfg = config(tree)
        for name in DATALOADERS:
            cfg[name].dataset.update(type="ADE20KDataset", img_suffix=".jpg", reduce_zero_label=True)
        cfg.model.decode_head.num_classes = 150
        check_samples([cfg], ["val_dataloader"])
        values = tree.read(5)
        values[30, 30:32] = 150, 151
        Image.fromarray(values).save(tree.label(5))
        assert problems(cfg, ["val_dataloader"]) == dict(index=[f"{tree.label(5)}: 150 (pixels: 1)"])

    def test_wrapped_datasets(self, tree):
        cfg = config(None)
        train = cfg.train_dataloader.dataset
        both = dict(type="ConcatDataset", datasets=[train, {**train, "ann_file": cfg.val_dataloader.dataset.ann_file}])
        cfg.train_dataloader.dataset = dict(type="RepeatDataset", times=2, dataset=both)
        set_data_root(cfg, str(tree.root))
        expected = [size_mismatch(tree), truncated_image(tree)]
        found = problems(cfg, ["train_dataloader"])
        assert sorted(found.items()) == sorted((kind, [text]) for kind, text in expected)

    def test_data_without_labels(self, tree):
        """Is an error in training, and may be tested on."""
        cfg = config(tree)
        for name in (*DATALOADERS, "test_dataloader"):
            del cfg[name].dataset.data_prefix["seg_map_path"]
        found = problems(cfg, ["train_dataloader"])
        assert found == dict(unlabelled=[f"{tree.image(number)}" for number in range(4)])
        check_samples([cfg], ["test_dataloader"])
        truncated_image(tree)
        assert list(problems(cfg, ["test_dataloader"])) == ["unreadable image"]

    def test_the_pipelines_own_loaders(self, tree):
        """What the toolbox's LoadAnnotations misreads is an error if it is in the pipeline."""
        cfg = config(tree)
        for name in DATALOADERS:
            cfg[name].dataset.pipeline[1] = dict(type="LoadAnnotations")
        check_samples([cfg], DATALOADERS)
        Image.fromarray(np.dstack([tree.read(0)] * 3)).save(tree.label(0))
        Image.fromarray(tree.read(1).astype(np.uint16) + 256).save(tree.label(1))
        assert problems(cfg)["unreadable label"] == [
            f"{tree.label(0)}: a colour picture: load it with LoadLabels and the palette of the dataset",
            f"{tree.label(1)}: of its values, LoadAnnotations keeps 8 bits: load it with LoadLabels",
        ]

    def test_subset(self, tree):
        """Samples that are not used are not read."""
        cfg = config(tree, **{"train_dataloader.dataset.indices": 1})
        missing_label(tree)
        check_samples([cfg], ["train_dataloader"])

    def test_no_classes(self, tree):
        cfg = config(tree)
        cfg.train_dataloader.dataset.update(type="BaseSegDataset", img_suffix=".jpg", seg_map_suffix=".png")
        with pytest.raises(ValueError, match="the BaseSegDataset of train_dataloader has no classes: give it metainfo"):
            check_samples([cfg], DATALOADERS)

    def test_refused_by_the_toolbox(self, tree):
        cfg = config(tree, **{"val_dataloader.dataset.ann_file": "gone.txt"})
        with pytest.raises(ValueError, match="the PascalVOCDataset of val_dataloader cannot be built"):
            check_samples([cfg], DATALOADERS)

    def test_another_kind_of_dataset(self, tree, warnings):
        cfg = config(tree)
        cfg.train_dataloader.dataset = dict(type="BaseCDDataset")
        check_samples([cfg], ["train_dataloader"])
        assert warnings == ["the BaseCDDataset of train_dataloader is no BaseSegDataset: it is not checked"]


@pytest.mark.parametrize("after", [-1, 60])
def test_progress(after, tree, monkeypatch, capsys):
    """Is shown if it takes long."""
    monkeypatch.setattr(progress, "AFTER", after)
    check_samples([config(tree)], DATALOADERS)
    out, err = capsys.readouterr()
    assert ("Checking the data" in err) == (after < 0) and not out


@pytest.fixture
def checked(monkeypatch):
    """The samples that were read."""
    names = []
    call = samples.SampleCheck.__call__

    def count(self, sample, *messages, **options):
        names.append(os.path.basename(sample["img_path"]))
        return call(self, sample, *messages, **options)

    monkeypatch.setattr(samples.SampleCheck, "__call__", count)
    return names


def test_data_root_and_its_files(tmp_path):
    cfg = config(None)
    set_data_root(cfg, str(tmp_path))
    assert {cfg[f"{name}_dataloader"].dataset.data_root for name in ("train", "val", "test")} == {str(tmp_path)}
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        with pytest.raises(FileNotFoundError, match=f"train_dataloader needs {tmp_path}.*fcn prepare voc.*--data-root"):
            check_data(cfg)
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/train.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"val_dataloader needs .*val\.txt, which does not exist"):
        check_data(cfg)
    (tmp_path / "ImageSets/Segmentation/val.txt").touch()
    check_data(cfg)


class TestCache:
    ALL = [f"image{number}.jpg" for number in range(6)]

    def check(self, cfg, names):
        check_samples([cfg], DATALOADERS)
        result = sorted(names)
        names.clear()
        return result

    def test_second_time(self, tree, checked):
        cfg = config(tree)
        before = sorted(tree.root.rglob("*"))
        assert self.check(cfg, checked) == self.ALL
        assert self.check(cfg, checked) == []
        assert sorted(tree.root.rglob("*")) == before

    def test_no_file_is_opened(self, tree, monkeypatch):
        cfg = config(tree)
        check_samples([cfg], DATALOADERS)
        for file in (*tree.root.glob("*/*.jpg"), *tree.root.glob("*/*.png")):
            status = file.stat()
            file.write_bytes(bytes(status.st_size))
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        check_samples([cfg], DATALOADERS)

    @pytest.mark.parametrize("what", ["image", "label"])
    @pytest.mark.parametrize("change", ["time", "size"])
    def test_changed_file(self, what, change, tree, checked):
        cfg = config(tree)
        self.check(cfg, checked)
        file = getattr(tree, what)(3)
        if change == "time":
            os.utime(file, ns=(1, file.stat().st_mtime_ns + 1))
        else:
            status = file.stat()
            file.write_bytes(file.read_bytes() + b"\0")
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert self.check(cfg, checked) == ["image3.jpg"]
        assert self.check(cfg, checked) == []

    def test_problems_are_found_again(self, tree, checked):
        expected = [break_file(tree) for break_file in (index_out_of_range, missing_image)]
        for again in (False, True):
            found = problems(config(tree))
            assert sorted(found.items()) == sorted((kind, [text]) for kind, text in expected)
            assert sorted(checked) == (["image0.jpg", "image2.jpg"] if again else self.ALL)
            checked.clear()

    @pytest.mark.parametrize(
        "settings",
        [
            {"model.decode_head.ignore_index": 100},
            {"train_dataloader.dataset.pipeline.1.palette": "CamVidDataset"},
            {"train_dataloader.dataset.pipeline.0.to_float32": True},
        ],
    )
    def test_other_settings(self, settings, tree, checked):
        self.check(config(tree), checked)
        try:
            check_samples([config(tree, **settings)], ["train_dataloader"])
        except ValueError as error:
            assert "ignored index" in str(error)
        assert sorted(checked) == self.ALL[:4]

    @pytest.mark.parametrize("damage", ["", "{", "[]", '{"settings": 3}', "\0"])
    def test_damaged(self, damage, tree, checked, tmp_path):
        cfg = config(tree)
        self.check(cfg, checked)
        files = list((tmp_path / "cache").rglob("*.json"))
        assert len(files) == 2
        for file in files:
            file.write_text(damage)
        assert self.check(cfg, checked) == self.ALL
        assert self.check(cfg, checked) == []
        assert sorted((tmp_path / "cache/checked").iterdir()) == sorted(files)

    def test_notes_of_an_earlier_version(self, tree, checked, tmp_path):
        """Lack what is checked now."""
        cfg = config(tree)
        self.check(cfg, checked)
        for file in (tmp_path / "cache").rglob("*.json"):
            content = json.loads(file.read_text())
            settings = content["settings"].removeprefix(f"{check_cache.FORMAT} ")
            good = [[stamp, [0, False]] for stamp, _ in content["good"]]
            file.write_text(json.dumps(dict(settings=settings, good=good)))
        assert self.check(cfg, checked) == self.ALL

    def test_no_place_to_write(self, tree, checked, tmp_path):
        (tmp_path / "cache").write_text("a file")
        assert [self.check(config(tree), checked) for _ in range(2)] == [self.ALL, self.ALL]

    def test_disk_full(self, tree, checked, monkeypatch, tmp_path):
        def fail(*_, **__):
            raise OSError("no space left on device")

        monkeypatch.setattr(check_cache.os, "replace", fail)
        assert self.check(config(tree), checked) == self.ALL
        assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []

    def test_two_stages_share_their_data(self, tree, checked, tmp_path):
        (tmp_path / "cache").write_text("a file, so that nothing is kept")
        check_samples([config(tree), config(tree, "fcn8s_vgg16_voc")], DATALOADERS)
        assert sorted(checked) == self.ALL

    def test_place(self, monkeypatch):
        monkeypatch.setenv("FCN_PLUGIN_CACHE", "/there")
        assert re.fullmatch(r"/there/checked/\w{32}\.json", str(check_cache.CheckCache("list", "").file))
        monkeypatch.delenv("FCN_PLUGIN_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", "/home")
        assert str(check_cache.CheckCache("list", "").file.parent) == "/home/fcn_plugin/checked"
