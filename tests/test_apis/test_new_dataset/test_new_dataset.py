"""A data set from annotated pictures: its files, lists and facts, once, and again."""

import io
import json

import cv2
import numpy as np
import pytest
from bad_inputs.case import files
from PIL import Image
from rich.console import Console
from testing.annotated import PALETTE, Pictures, use_a_short_config
from testing.annotation_files import FORMS, NAMES, SCENES, labels_of, save_pictures, zipped

from fcn_plugin.apis.new_dataset import layout
from fcn_plugin.apis.new_dataset import new_dataset as module
from fcn_plugin.apis.new_dataset.new_dataset import new_dataset
from fcn_plugin.apis.new_dataset.summary import show
from fcn_plugin.checks.data import check_data, check_lists, check_samples
from fcn_plugin.checks.report import Report
from fcn_plugin.utils.config import read_config
from fcn_plugin.utils.files import CannotWriteError
from fcn_plugin_cli import main as cli


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    made = Pictures(tmp_path)
    made.use(monkeypatch)
    return made


@pytest.fixture
def make(pictures, tmp_path):
    def call(**options):
        return new_dataset(pictures.images, pictures.masks, tmp_path / "made", **options)

    return call


def full_disk():
    error = CannotWriteError("some/file", "No space left on device")
    error.__cause__ = OSError(28, "No space left on device")
    return error


def ten(pictures, **options):
    for index in range(10):
        pictures.add(f"p{index // 2}_{index}", (0, 1, 2) if index in (3, 4) else (0, 1, 255), **options)


def lists_of(root):
    return {path.stem: path.read_text().split() for path in (root / "ImageSets/Segmentation").glob("*.txt")}


def test_files(pictures, make, tmp_path):
    ten(pictures)
    pictures.add("city/a street;1", (2, 255))
    made = make()
    out = tmp_path / "made"
    assert sorted(path.name for path in out.iterdir()) == [
        "ImageSets",
        "JPEGImages",
        "SegmentationClass",
        "config.py",
        "made_from.json",
    ]
    lists = lists_of(out)
    assert {name: len(names) for name, names in lists.items()} == dict(train=9, val=2) == made.facts.splits
    names = sorted(lists["train"] + lists["val"])
    assert names == ["city/a_street_1", *(f"p{index // 2}_{index}" for index in range(10))]
    assert sum(name in lists["val"] for name in ("p1_3", "p2_4", "city/a_street_1")) == 1
    for old, new in [("p0_0", "p0_0"), ("city/a street;1", "city/a_street_1")]:
        assert (out / f"JPEGImages/{new}.png").read_bytes() == pictures.files[old].read_bytes()
        with Image.open(out / f"SegmentationClass/{new}.png") as label:
            assert label.mode == "P" and label.getpalette()[:9] == sum(map(list, PALETTE), [])
            assert np.array_equal(np.array(label), pictures.labels[old])  # 255 among them
    assert any("city/a street;1 is city/a_street_1" in remark for remark in made.remarks)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "made", "masks"]


def test_facts(pictures, make):
    ten(pictures)
    made = make()
    train = [name for name, one in zip(made.names, made.lists) if one == "train"]
    images = np.stack([np.array(Image.open(pictures.files[name])) for name in train]).reshape(-1, 3)
    facts = made.facts
    assert (facts.bands, facts.bits, facts.image_suffix, facts.largest) == (3, 8, ".png", (6, 8))
    np.testing.assert_allclose(facts.mean, images.mean(0), rtol=1e-6)
    np.testing.assert_allclose(facts.std, images.std(0), rtol=1e-6)
    assert facts.class_pixels == [sum((pictures.labels[n] == index).sum() for n in train) for index in range(3)]
    assert facts.sizes == [(6, 8)] * 8 and facts.splits == dict(train=8, val=2)


def test_the_check_of_data_accepts_it(pictures, make, tmp_path):
    ten(pictures, suffix=".jpg")
    stored = pictures.add("turned", suffix=".jpg", image=np.zeros((8, 6, 3), np.uint8), exif=turned(6)).read_bytes()
    make()
    assert (tmp_path / "made/JPEGImages/turned.jpg").read_bytes() == stored
    cfg, report = read_config(str(tmp_path / "made/config.py")), Report()
    loaders = ["train_dataloader", "val_dataloader"]
    check_data(cfg, loaders)
    assert check_lists(cfg, loaders, report)
    report.finish()
    largest = check_samples([cfg], loaders)[0]
    assert (largest["train_dataloader"].width, largest["train_dataloader"].height) == (8, 6)


def test_lists(pictures, make, tmp_path):
    """Groups stay together; a picture that is there twice is in one list; the seed decides."""
    ten(pictures)
    pictures.add("q9_0", (2, 0), image=Image.open(pictures.files["p0_0"]), suffix=".bmp")
    pictures.add("q9_1")
    made = make(group_by=r"^[pq]\d", test=0.3, seed=1)
    lists = dict(zip(made.names, made.lists))
    for index in range(5):
        assert lists[f"p{index}_{2 * index}"] == lists[f"p{index}_{2 * index + 1}"]
    assert lists["q9_0"] == lists["q9_1"] == lists["p0_0"]
    assert set(lists.values()) == {"train", "val", "test"} == lists_of(tmp_path / "made").keys()
    assert "pictures that are there more than once stay in one list: 1 (p0_0 = q9_0)" in made.remarks
    assert "of these, with different labels: 1 (p0_0 = q9_0)" in made.remarks
    splits = []
    for number, seed in enumerate((1, 1, 2, 3)):
        again = new_dataset(pictures.images, pictures.masks, tmp_path / f"again{number}", seed=seed)
        splits.append(again.lists)
    assert splits[0] == splits[1] and len(set(splits)) > 1


def in_folders(pictures, *names):
    for name in names:
        pictures.add(name, (0, 1, 2))


def test_lists_that_are_folders(pictures, make, tmp_path):
    in_folders(pictures, "valid/1", "train/1", "train/2", "Train/city/3", "test/9")
    made = make()
    expected = dict(train=["Train/city/3", "train/1", "train/2"], val=["valid/1"], test=["test/9"])
    assert lists_of(tmp_path / "made") == expected and made.facts.splits == dict(train=3, val=1, test=1)
    assert "the lists are those of the folders" in " ".join(made.remarks)
    new_dataset(pictures.images, pictures.masks, tmp_path / "anew", val=0.4)
    assert {name: len(found) for name, found in lists_of(tmp_path / "anew").items()} == dict(train=3, val=2)


def test_folders_that_are_no_lists(pictures, make, tmp_path):
    in_folders(pictures, "train/1", "train/2", "train/3", "test/1")  # none to validate on
    assert "the lists are those of the folders" not in " ".join(make().remarks)


def test_folders_that_share_a_picture(pictures, make, tmp_path):
    in_folders(pictures, "train/1", "train/2", "val/3")
    pictures.add("val/4", (0, 1, 2), image=Image.open(pictures.files["train/2"]))
    with pytest.raises(ValueError, match="in the folders of several lists: train/2 = val/4. Remove one of them"):
        make()
    assert not (tmp_path / "made").exists()


def test_again(pictures, make, tmp_path, monkeypatch):
    ten(pictures)
    assert make(wishes=module.Wishes(fast=True)) is not None
    (tmp_path / "made/config.py").write_text("# changed by its user")
    before = files(tmp_path)
    assert make(wishes=module.Wishes(fast=True)) is None
    with pytest.raises(FileExistsError, match=r"made was made with other options \(fast True, now False\)"):
        make()
    with pytest.raises(FileExistsError, match=r"with other options \(seed 0, now 3\): remove it, or give another"):
        make(seed=3, wishes=module.Wishes(fast=True))
    (pictures.masks / "0.txt").write_text("other labels")
    with pytest.raises(FileExistsError, match="was made from other pictures or annotations: remove it"):
        make(wishes=module.Wishes(fast=True))
    after = files(tmp_path)
    assert {name for name in after if after[name] != before[name]} == {"masks/0.txt"}


def test_what_is_missing_is_told(pictures, make, tmp_path):
    ten(pictures)
    make()
    (tmp_path / "made/JPEGImages/p0_0.png").unlink()
    with pytest.raises(FileExistsError, match="was made before, but lacks JPEGImages/p0_0: remove it, and run the sam"):
        make()


def test_what_is_there_stays(pictures, make, tmp_path):
    ten(pictures)
    out = tmp_path / "made"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="made exists with other contents: remove it, or give another directory"):
        make()
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    (out / "notes.txt").unlink()
    assert make() is not None  # into an empty directory


def test_links(pictures, make, tmp_path):
    ten(pictures)
    pictures.add("turned", image=Image.fromarray(np.zeros((8, 6, 3), np.uint8)), exif=turned(6))
    make(link=True)
    link = tmp_path / "made/JPEGImages/p0_0.png"
    assert link.is_symlink() and link.readlink() == pictures.files["p0_0"].absolute()
    assert not (tmp_path / "made/JPEGImages/turned.png").is_symlink()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_formats_are_brought_together(pictures, make, tmp_path):
    """JPEG, TIFF, GIF and a PNG become PNG, without loss, as they are shown."""
    image = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    pictures.add("a", suffix=".jpg", image=image, exif=turned(6))
    pictures.add("b", suffix=".tif")
    pictures.add("c", suffix=".gif", image=Image.fromarray(image[:6, :, 0].repeat(2, 1)[:, :8]))
    original = pictures.add("d").read_bytes()
    pictures.add("e", suffix=".png", image=image, exif=turned(8))
    made = make()
    folder = tmp_path / "made/JPEGImages"
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "b.png", "c.png", "d.png", "e.png"]
    assert made.facts.image_suffix == ".png" and (folder / "d.png").read_bytes() == original
    assert np.array_equal(cv2.imread(str(folder / "a.png")), cv2.imread(str(pictures.files["a"])))
    assert np.array_equal(np.array(Image.open(folder / "e.png")), np.rot90(image))
    assert np.array_equal(np.array(Image.open(folder / "b.png")), np.array(Image.open(pictures.files["b"])))
    assert made.facts.bands == 3
    assert "pictures written anew as PNG, without loss: 4 (a.jpg, b.tif, c.gif, e.png)" in made.remarks


@pytest.mark.parametrize("suffixes, expected", [((".JPG", ".JPG"), ".JPG"), ((".jpeg", ".JPG"), ".jpg")])
def test_suffixes_of_one_format(pictures, make, tmp_path, suffixes, expected):
    for index, suffix in enumerate(suffixes):
        pictures.add(f"p{index}", suffix=suffix, format="JPEG")
    assert make().facts.image_suffix == expected
    for name, file in pictures.files.items():
        assert (tmp_path / f"made/JPEGImages/{name}{expected}").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("bands, bits", [(1, 8), (1, 16), (3, 8), (4, 8)])
def test_bands_and_bits(pictures, make, bands, bits):
    kind = np.uint16 if bits == 16 else np.uint8
    for index in range(3):
        image = np.random.default_rng(index).integers(0, 1 << bits, (6, 8, bands)).astype(kind)
        pictures.add(f"p{index}", image=np.squeeze(image))
    facts = make(bands=bands if bands == 4 else None).facts
    assert (facts.bands, facts.bits, len(facts.mean)) == (bands, bits, bands)
    assert 0.3 < facts.mean[-1] / (1 << bits) < 0.7


def test_transparency_is_left_out(pictures, make):
    for index, bands in enumerate((3, 4, 1)):
        pictures.add(f"p{index}", image=np.squeeze(np.full((6, 8, bands), 50 * (index + 1), np.uint8)))
    made = make()
    assert made.facts.bands == 3
    assert "the transparency of pictures is left out; --bands 4 takes it for a band" in made.remarks


def test_grey_of_16_bits_is_no_colour(pictures, make):
    """The toolbox makes colours of grey pictures of 8 bits alone."""
    for index in range(3):
        pictures.add(f"p{index}", image=np.full((6, 8), 1000 + index, np.uint16))
    cv2.imwrite(str(pictures.files["p1"]), np.full((6, 8, 3), 1000, np.uint16))
    with pytest.raises(ValueError, match="the same number of bands, but there are with 1: p0.png, p2.png; 3: p1.png"):
        make()


def test_labels_of_another_size_and_index(pictures, make, tmp_path):
    ten(pictures)
    for name in ("p0_0", "p1_2"):
        pictures.labels[name] = np.zeros((8, 6), np.uint8)
    pictures.labels["p2_4"] = np.full((6, 8), 7, np.uint8)
    before = files(tmp_path)
    message = (
        r"labels of another size than their picture \(width x height\): 2 of 10 \(p0_0.png is 8x6, its labels 6x8,"
        r" p1_2.png is 8x6, its labels 6x8\); labels with indices that are no class: 1 of 10 \(p2_4.png: 7\)"
    )
    with pytest.raises(ValueError, match=message):
        make()
    assert files(tmp_path) == before


def test_damaged_pictures(pictures, make, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for index in range(10):
        pictures.add(f"p{index}", suffix=".jpg", image=noise, labels=np.zeros((64, 64), np.uint8))
    content = bytearray(pictures.files["p1"].read_bytes())
    content[2000:2200] = bytes(200)
    pictures.files["p1"].write_bytes(content)
    pictures.files["p2"].write_bytes(content[:1000])
    with pytest.raises(
        ValueError, match=r"cannot be read: 1 of 10 .*p2.*; damaged pictures: 1 of 10 .*p1.*Corrupt JPEG"
    ):
        make()
    assert not (tmp_path / "made").exists()


def test_classes_that_never_occur_are_left_out(pictures, make, tmp_path):
    for index in range(4):
        pictures.add(f"p{index}", (0, 2, 255))
    made = make()
    assert (made.facts.classes, made.facts.palette) == (("background", "car"), (PALETTE[0], PALETTE[2]))
    assert made.facts.class_pixels == [48, 48]
    assert "classes that occur in no picture are left out: road" in made.remarks
    with Image.open(tmp_path / "made/SegmentationClass/p0.png") as label:
        assert label.getpalette()[:6] == [*PALETTE[0], *PALETTE[2]]
        assert np.array_equal(np.array(label), np.resize([0, 1, 255], (6, 8)))


@pytest.mark.parametrize(
    "found, message",
    [
        ((0, 255), r"only background occurs in the labels \(masks made by a test\): two classes are needed"),
        ((255,), "no pixel of the labels has a class"),
    ],
)
def test_one_class(pictures, make, found, message):
    for index in range(3):
        pictures.add(f"p{index}", found)
    with pytest.raises(ValueError, match=message):
        make()


def test_classes_that_cannot_be_in_both_lists(pictures, make):
    pictures.add("a", (0, 1))
    pictures.add("b", (0, 1))
    pictures.add("c", (0, 2))
    assert "val has no picture with car" in make().remarks


def test_a_class_that_cannot_be_trained(pictures, make, tmp_path):
    pictures.add("a", (0, 1))
    pictures.add("b", (0, 2))
    with pytest.raises(
        ValueError, match="no picture is left to train (car|road) on: give more pictures, smaller groups"
    ):
        make()
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(val=0), r"--val and --test are shares of the pictures, such as 0.2, and leave some, got 0, 0.0"),
        (dict(val=0.5, test=0.5), "and leave some, got 0.5, 0.5"),
        (dict(seed=-1), "the seed must be >= 0, got -1"),
        (dict(group_by="cat"), "--group-by 'cat' is found in no name of a picture: p0_0"),
        (dict(bands=5), "pictures must have 5 bands, but there are with 3: p0_0.png"),
    ],
)
def test_wrong_options(pictures, make, tmp_path, options, message):
    ten(pictures)
    before = files(tmp_path)
    with pytest.raises(ValueError, match=message):
        make(**options)
    assert files(tmp_path) == before


def test_too_few_pictures(pictures, make):
    pictures.add("one")
    with pytest.raises(ValueError, match="a picture to train on and another to validate on are needed, found 1 with"):
        make()
    pictures.add("two", image=Image.open(pictures.files["one"]))
    with pytest.raises(ValueError, match="2 pictures that make 1 group cannot be split into 2 lists"):
        make()


def test_places(pictures, tmp_path, monkeypatch):
    ten(pictures)
    before = files(tmp_path)
    with pytest.raises(
        ValueError, match="--out .*images/new and .*images are inside each other: give a directory else"
    ):
        new_dataset(pictures.images, pictures.masks, pictures.images / "new")
    with pytest.raises(ValueError, match="are inside each other"):
        new_dataset(pictures.images, pictures.masks, tmp_path)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("", (), dict(free=100))())
    with pytest.raises(
        OSError, match="cannot be written: the pictures need .* GB, and .* GB are free: --link copies no"
    ):
        new_dataset(pictures.images, pictures.masks, tmp_path / "a/b")
    assert files(tmp_path) == before


@pytest.mark.parametrize("where", [(module, "config_files"), (layout, "write_indices"), (layout.shutil, "copyfile")])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), full_disk()])
def test_interrupted(pictures, make, tmp_path, monkeypatch, where, error):
    ten(pictures)
    before = files(tmp_path)

    def interrupt(*_):
        assert list(tmp_path.glob(".made.*"))
        raise error

    monkeypatch.setattr(*where, interrupt)
    with pytest.raises((KeyboardInterrupt, OSError)) as end:
        make()
    assert "made cannot be written: No space left" in str(end.value) or end.type is KeyboardInterrupt
    assert files(tmp_path) == before


def test_the_command(pictures, tmp_path, capsys, monkeypatch):
    ten(pictures)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    cli.main(["new-dataset", "images", "masks", "--out", "my data", "--seed", "4"])
    printed = capsys.readouterr().out
    for text in ("my data: masks made by a test", "8 x 6", "background", "crop", "small", "in train"):
        assert text in printed
    assert printed.endswith(
        "fcn train 'my data/config.py'\nfcn test 'my data/config.py' 'my data/work_dir'/best_*.pth\n"
        "fcn predict PICTURES 'my data/config.py' 'my data/work_dir'/best_*.pth --out predicted\n"
        "fcn report 'my data/work_dir'\n"
    )
    assert json.loads((tmp_path / "my data/made_from.json").read_text())["options"]["seed"] == 4
    cli.main(["new-dataset", "images", "masks", "--out", "my data", "--seed", "4"])
    assert "Nothing to do: my data was made from these pictures with these options already" in capsys.readouterr().out


def test_table(pictures, make):
    ten(pictures)
    stream = io.StringIO()
    show(make(), Console(file=stream, width=200))
    lines = [[cell.strip() for cell in line.split("│")] for line in stream.getvalue().splitlines()]
    rows = {cells[2]: cells[3:-1] for cells in lines if len(cells) > 7}
    assert rows["car"] == ["32", "9.09%", "1", "1"]
    assert rows["(ignored, of all)"] == ["128", "26.67%", "7", "1"]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_the_same_files_out_of_every_form(tmp_path, monkeypatch, form, packed):
    use_a_short_config(monkeypatch)
    images, annotations = save_pictures(tmp_path / "pictures"), form(tmp_path / "annotations")
    annotations = zipped(annotations) if packed else annotations
    made = new_dataset(images, annotations, tmp_path / "made")
    assert made.facts.classes == NAMES
    assert sorted(made.names) == ["one", "sub/three", "two_words"]
    for name in SCENES:
        label = tmp_path / "made/SegmentationClass" / name.replace(" ", "_")
        assert np.array_equal(np.array(Image.open(label.with_suffix(".png"))), labels_of(name))
    assert new_dataset(images, annotations, tmp_path / "made") is None
