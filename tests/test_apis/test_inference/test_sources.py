import os
from pathlib import Path

import pytest

from fcn_plugin.apis.inference.sources import Source, check_order, find_sources


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Two cities with pictures of the same names, beside other files."""
    files = "a/street.jpg a/deep/er/street.PNG b/street.jpg b/sea.v2.jpeg a/notes.txt a/clip.avi .hidden/x.jpg a/.x.jpg"
    for file in files.split():
        path = tmp_path / "data" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return Path("data")


def found(*given, out="out"):
    return {source.name: source.path.as_posix() for source in find_sources([str(one) for one in given], out)}


class TestFind:
    def test_folder(self, data):
        """All pictures below it, named by their folders; no other files, no hidden ones."""
        below = {"street": "street.jpg", "deep/er/street": "deep/er/street.PNG"}
        assert found(data / "a") == {name: f"data/a/{file}" for name, file in below.items()}
        assert list(found(data)) == ["a/deep/er/street", "a/street", "b/sea.v2", "b/street"]

    def test_files(self, data):
        """As they are, of whatever suffix."""
        assert find_sources(["data/a/notes.txt", "data/a/clip.avi", "data/a/.x.jpg"], "out") == [
            Source(Path("data/a/notes.txt"), "notes"),
            Source(Path("data/a/clip.avi"), "clip"),
            Source(Path("data/a/.x.jpg"), ".x"),
        ]

    @pytest.mark.parametrize(
        "pattern, names",
        [
            ("data/*/street.*", ["a/street", "b/street"]),
            ("data/**/street.*", ["a/deep/er/street", "a/street", "b/street"]),
            ("data/a/*", ["clip", "street"]),
            ("data/[b]/s*.jp*g", ["b/sea.v2", "b/street"]),
        ],
    )
    def test_patterns(self, pattern, names, data):
        """Pictures and videos that match, named by what comes after the part without signs."""
        assert list(found(pattern)) == names

    def test_a_file_may_look_like_a_pattern(self, data):
        (data / "x[1].png").touch()
        assert found("data/x[1].png") == {"x[1]": "data/x[1].png"}

    def test_each_once_in_order(self, data):
        assert list(found("data/b", "data/b/street.jpg", data.resolve() / "b", "data/a/deep")) == [
            "sea.v2",
            "street",
            "er/street",
        ]

    def test_links(self, data, tmp_path):
        """Folders are followed, but not in circles."""
        os.symlink(tmp_path / "data/b", data / "a/other")
        os.symlink(tmp_path / "data/a", data / "a/deep/again")
        assert set(found(data / "a")) == {"street", "deep/er/street", "other/street", "other/sea.v2"}

    def test_video_and_picture_of_a_name(self, data):
        (data / "a/clip.png").touch()
        sources = find_sources(["data/a/clip.png", "data/a/clip.avi"], "out")
        assert [(source.name, source.is_video) for source in sources] == [("clip", False), ("clip", True)]

    def test_earlier_predictions_are_left_out(self, data):
        for folder in ("labels", "overlays", "others"):
            (data / folder).mkdir()
            (data / folder / "b.png").touch()
        assert {"others/b", "a/street"} <= found(data, out="data").keys()
        assert not {"labels/b", "overlays/b"} & found(data, out="data").keys()
        assert set(found("data/*/b.png", out=data)) == {"others/b"}
        assert set(found("data/*/b.png")) == {"labels/b", "overlays/b", "others/b"}
        with pytest.raises(ValueError, match="data/labels/b.png is where predictions are written to"):
            find_sources(["data/labels/b.png"], "data")


@pytest.mark.parametrize(
    "given, error, message",
    [
        (["data/a/street.jpg", "data/b/street.jpg"], ValueError, "give the folder that both are in"),
        (["data/a", "data/b"], ValueError, r"data/a/street.jpg and data/b/street.jpg would overwrite .* \(street\)"),
        (["data/a/clip.avi", "data/b/clip.mp4"], ValueError, "would overwrite each other"),
        (["data/c"], ValueError, r"data/c/x.jpg and data/c/x.png would .* by a pattern, such as 'data/c/\*.jpg'"),
        (["data/a", "nothing"], FileNotFoundError, "there is no picture, video or folder nothing"),
        (["data/*/nothing.*"], FileNotFoundError, r"no pictures and videos in data/\*/nothing.\* \(.avi"),
        (["empty"], FileNotFoundError, r"there are no pictures in empty \(.bmp, .*\.webp\)"),
    ],
)
def test_wrong(given, error, message, data):
    Path("empty").mkdir()
    for name in ("b/clip.mp4", "c/x.jpg", "c/x.png"):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).touch()
    with pytest.raises(error, match=message):
        find_sources(given, "out")


def test_out_is_a_file(data):
    with pytest.raises(NotADirectoryError, match="notes.txt is a file: give a directory"):
        find_sources(["data/a"], "data/a/notes.txt")


@pytest.mark.parametrize("config", ["a.py", "a.json", "x/A.YAML"])
@pytest.mark.parametrize("weights", ["a.pth", "fcn.caffemodel", "torchvision://vgg16", "weights", "http://x.y/z.h5"])
def test_order(config, weights):
    check_order(config, weights)


@pytest.mark.parametrize(
    "config, weights", [("a.pth", "a.py"), ("a.pth", "b.jpg"), ("a.py", "b.png"), ("a.py", "b.mp4"), ("a.jpg", "b.pth")]
)
def test_wrong_order(config, weights):
    with pytest.raises(ValueError, match=f"pictures first, .* but got {config} for the config and {weights} for"):
        check_order(config, weights)
