import numpy as np
import pytest
from PIL import Image
from testing.inference_files import files_below, index_png, picture

from fcn_plugin.apis.inference.writer import PredictionWriter

META = dict(classes=["sky", "sea", "land"], palette=[[0, 0, 255], [10, 200, 30], [250, 128, 1]])


def example(size=(20, 30)):
    """The sea in the lower half, land at the lower right."""
    labels = np.zeros(size, np.uint8)
    labels[size[0] // 2 :] = 1
    labels[size[0] // 2 :, size[1] // 2 :] = 2
    return picture(1, size), labels


@pytest.mark.parametrize("size", [(20, 30), (1, 1), (3, 200), (301, 97)])
@pytest.mark.parametrize("opacity", [0.0, 0.3, 1.0])
def test_written(size, opacity, tmp_path):
    """Palette PNG with the indices; each pixel of the overlay is the mixture of its class and the picture, in RGB."""
    image, labels = example(size)
    PredictionWriter(tmp_path / "out", META, opacity).write("city.v2/a b", image, labels)
    assert files_below(tmp_path) == {"out/overlays/city.v2/a b.png", "out/labels/city.v2/a b.png"}
    written, palette = index_png(tmp_path / "out/labels/city.v2/a b.png")
    assert np.array_equal(written, labels) and palette == META["palette"]
    overlay = np.array(Image.open(tmp_path / "out/overlays/city.v2/a b.png"))
    expected = (1 - opacity) * image[..., ::-1] + opacity * np.array(META["palette"])[labels]
    assert overlay.shape == (*size, 3) and np.abs(overlay - expected).max() <= 1


def test_what_is_wanted(tmp_path):
    image, labels = example()
    PredictionWriter(tmp_path / "a", META, overlays=False).write("x", image, labels)
    PredictionWriter(tmp_path / "b", META, labels=False).write("x", image, labels)
    assert files_below(tmp_path) == {"a/labels/x.png", "b/overlays/x.png"}


def test_class_names():
    image, labels = example((200, 300))
    plain, named = (PredictionWriter("out", META, class_names=names).overlay(image, labels) for names in (False, True))
    changed = (plain != named).any(-1)
    assert 50 < changed.sum() < changed.size / 4


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_nothing_half_written(error, tmp_path, monkeypatch):
    """And an earlier file stays."""
    image, labels = example()
    writer = PredictionWriter(tmp_path, META)
    writer.write("x", image, labels)
    save = Image.Image.save

    def broken_save(self, path, **kwargs):
        save(self, path, **kwargs)
        assert path.stat().st_size > 0
        raise error

    monkeypatch.setattr(Image.Image, "save", broken_save)
    for name in ("x", "y"):
        with pytest.raises(error):
            writer.write(name, image, labels + 1)
    assert files_below(tmp_path) == {"overlays/x.png", "labels/x.png"}
    assert np.array_equal(index_png(tmp_path / "labels/x.png")[0], labels)


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(opacity=1.5), "opacity must be from 0 .* to 1, got 1.5"),
        (dict(opacity=-0.1), "got -0.1"),
        (dict(overlays=False, labels=False), "nothing to write"),
        (dict(dataset_meta=dict(classes=["a"] * 257, palette=[[0] * 3] * 257)), "hold 256 classes, got 257"),
    ],
)
def test_wrong_settings(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        PredictionWriter(**{"out": tmp_path, "dataset_meta": META, **settings})


def test_indices_of_the_data_set(tmp_path):
    """With reduce_zero_label, the first class is 1 in the files, and overlays stay as they are."""
    image, labels = example()
    for name, meta in (("plain", META), ("reduced", dict(META, reduce_zero_label=True))):
        PredictionWriter(tmp_path / name, meta).write("x", image, labels)
    overlays = [np.array(Image.open(tmp_path / name / "overlays/x.png")) for name in ("plain", "reduced")]
    assert np.array_equal(*overlays)
    written, palette = index_png(tmp_path / "reduced/labels/x.png")
    assert np.array_equal(written, labels + 1) and palette[1:] == META["palette"]
