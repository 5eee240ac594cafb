"""Facts about pictures: their orientation without a parser, and their values."""

import numpy as np
import pytest
from PIL import Image

from fcn_plugin.utils import images
from fcn_plugin.utils.images import ORIENTATION, count_values, orientation_of


@pytest.mark.parametrize("options", [{}, dict(progressive=True), dict(icc_profile=bytes(range(256)) * 600)])
@pytest.mark.parametrize("orientation", [None, 1, 6])
def test_orientation(options, orientation, tmp_path, monkeypatch):
    """Pillow looks only at files that may have one: such as have metadata, or are not known to have none."""
    exif = Image.Exif()
    if orientation:
        exif[ORIENTATION] = orientation
    path = tmp_path / "image.jpg"
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(path, **options, exif=exif if orientation else b"")
    opened = []
    monkeypatch.setattr(images.Image, "open", lambda path, open=Image.open: (opened.append(path), open(path))[1])
    assert orientation_of(str(path)) == (orientation or 1)
    assert len(opened) == (orientation is not None or "icc_profile" in options)


def test_orientation_in_xmp(tmp_path):
    """As Pillow has it."""
    path = tmp_path / "image.jpg"
    xmp = b'<x:xmpmeta xmlns:tiff="http://ns.adobe.com/tiff/1.0/"><a tiff:Orientation="6"/></x:xmpmeta>'
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(path, xmp=xmp)
    with Image.open(path) as picture:
        assert orientation_of(str(path)) == picture.getexif().get(ORIENTATION, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
def test_count_values(dtype, monkeypatch):
    values = np.random.default_rng(0).choice([0, 3, 77, 255], (50, 30)).astype(dtype)
    expected = {value: int((values == value).sum()) for value in (0, 3, 77, 255)}
    assert count_values(values) == expected
    monkeypatch.setattr(images, "MAX_FLOAT32", 10)
    assert count_values(values) == expected
    assert all(type(number) is int for pair in count_values(values).items() for number in pair)
