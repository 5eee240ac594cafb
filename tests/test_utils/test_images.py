import cv2
import numpy as np
import pytest
from PIL import Image

from fcn_plugin.utils.images import as_picture, frames_of, why_unreadable

RANDOM = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)


@pytest.mark.parametrize(
    "image, expected",
    [
        (RANDOM[..., :3], RANDOM[..., :3]),
        (RANDOM, RANDOM[..., :3]),
        (RANDOM[..., 0], RANDOM[..., [0, 0, 0]]),
        (RANDOM[..., :1], RANDOM[..., [0, 0, 0]]),
        (RANDOM[..., :2], RANDOM[..., [0, 0, 0]]),
        (RANDOM[..., :3].astype(np.float32) + 0.3, RANDOM[..., :3]),
        (np.array([[0, 0.5, 1.0]]), [[[0] * 3, [128] * 3, [255] * 3]]),
        (np.array([[0, 30000, 60000]], np.uint16), [[[0] * 3, [128] * 3, [255] * 3]]),
        (np.array([[-1.0, 0, 1.0]]), [[[0] * 3, [128] * 3, [255] * 3]]),
        (np.array([[np.nan, np.inf, 9.0]]), [[[0] * 3, [0] * 3, [9] * 3]]),
        (np.full((1, 1), 1e-5), [[[0] * 3]]),
        (np.full((1, 1), -7.0), [[[0] * 3]]),
    ],
)
def test_as_picture(image, expected):
    picture = as_picture(image)
    assert picture.dtype == np.uint8 and picture.flags.c_contiguous and picture.tolist() == np.array(expected).tolist()


def test_frames(tmp_path):
    frames = [Image.fromarray(np.roll(RANDOM[..., :3], i, 1)) for i in range(4)]
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert frames_of(tmp_path / name) == (4, "pages" if name == "a.tif" else "frames")
    frames[0].save(tmp_path / "photo.jpg", format="MPO", save_all=True, append_images=frames[1:2])
    for name in ("one.gif", "one.tif", "one.jpg"):
        frames[0].save(tmp_path / name)
    (tmp_path / "text.png").write_text("no picture")
    for name in ("photo.jpg", "one.gif", "one.tif", "one.jpg", "text.png", "missing.png"):
        assert frames_of(tmp_path / name)[0] == 1, name


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32])
@pytest.mark.parametrize("bands", [1, 3])
def test_values_that_are_no_picture(kind, bands, tmp_path):
    exact = (cv2.IMWRITE_TIFF_COMPRESSION, 1)  # none: OpenCV 4 rounds colours to fewer bits
    assert cv2.imwrite(str(tmp_path / "a.tif"), np.arange(4 * bands).reshape(2, 2, bands).astype(kind), exact)
    assert f"its values are {np.dtype(kind)} from 0 to {4 * bands - 1}, where" in why_unreadable(tmp_path / "a.tif")


def test_other_reasons(tmp_path, monkeypatch):
    Image.fromarray(RANDOM[..., :3]).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    (tmp_path / "empty.png").touch()
    for name in ("half.png", "empty.png", "missing.png"):
        assert why_unreadable(tmp_path / name) == "truncated, or no picture that can be read"
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)  # an OpenCV built without a format
    assert why_unreadable(tmp_path / "whole.png") == (
        f"OpenCV {cv2.__version__} does not read this PNG (RGB): convert it to PNG"
    )
