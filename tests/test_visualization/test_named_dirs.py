import pytest

from fcn_plugin.visualization.named_dirs import named_directories


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("a", "b/a", "x=y"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names(folder):
    found = named_directories(["FCN-8s=a", "b/a/", "x=y", "here=."])
    assert {name: path.resolve() for name, path in found.items()} == {
        "FCN-8s": folder / "a",
        "a": folder / "b/a",
        "x=y": folder / "x=y",
        "here": folder,
    }
    assert list(found) == ["FCN-8s", "a", "x=y", "here"]


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (["a", "b/a"], ValueError, "a and b/a are both named a: give other names, as in NAME=b/a"),
        (["n=a", "n=b"], ValueError, "both named n"),
        (["=a"], ValueError, "'' is no name"),
        (["c/d=a"], ValueError, "'c/d' is no name that files can have"),
        (["n=missing"], FileNotFoundError, "there is no directory missing"),
        (["missing"], FileNotFoundError, "there is no directory missing"),
    ],
)
def test_wrong_names(folder, arguments, error, message):
    with pytest.raises(error, match=message):
        named_directories(arguments)
