import numpy as np
import pytest
import tifffile

from fcn_plugin.utils.bands import read_bands
from fcn_plugin.utils.tiff_windows import NoWindowsError, TiffWindows, is_tiff
from fcn_plugin.utils.tiled_tiff import write_tiled

ROWS, COLUMNS = slice(3, 149), slice(60, 200)
#: Keywords of tifffile, and the shape of the pixels.
KINDS = {
    "one-strip": (dict(rowsperstrip=150), (150, 211, 3), "u1"),
    "big-endian": (dict(rowsperstrip=150, byteorder=">"), (150, 211, 4), "u2"),
    "bands-apart": (dict(rowsperstrip=150, planarconfig="separate"), (150, 211, 6), "f4"),
    "strips": (dict(rowsperstrip=7, compression="zlib"), (150, 211, 3), "u1"),
    "tiles": (dict(tile=(64, 32), compression="zlib", predictor=2), (150, 211, 1), "u2"),
    "tiles-apart": (dict(tile=(64, 32), compression="lzw", planarconfig="separate"), (150, 211, 5), "u2"),
    "jpeg": (dict(tile=(64, 32), compression="jpeg"), (150, 211, 3), "u1"),
}


def write(path, settings, shape, dtype):
    image = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    given = np.moveaxis(image, -1, 0) if settings.get("planarconfig") == "separate" else image
    photometric = "rgb" if shape[2] in (3, 4) else "minisblack"
    settings = {"planarconfig": "contig", **settings} if shape[2] > 1 else settings
    given = given[..., 0] if shape[2] == 1 else given
    tifffile.imwrite(path, np.ascontiguousarray(given), photometric=photometric, metadata=None, **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_windows(kind, tmp_path):
    """A window is what the whole has there; written by itself, it is read as the whole is."""
    write(tmp_path / "whole.tif", *KINDS[kind])
    whole = tifffile.imread(tmp_path / "whole.tif")
    whole = np.moveaxis(whole, 0, -1) if KINDS[kind][0].get("planarconfig") == "separate" else whole
    windows = TiffWindows(tmp_path / "whole.tif")
    assert windows.size == (150, 211) and is_tiff(tmp_path / "whole.tif")
    (window,) = windows.read(ROWS, COLUMNS)
    assert np.array_equal(window, whole.reshape(150, 211, -1)[ROWS, COLUMNS])
    windows.write_window(tmp_path / "window.tif", ROWS, COLUMNS)
    read = read_bands(tmp_path / "whole.tif")[ROWS, COLUMNS]
    if kind != "jpeg":  # whose decoders differ by a value
        assert np.array_equal(read_bands(tmp_path / "window.tif"), read)
    assert np.abs(read_bands(tmp_path / "window.tif").astype(int) - read.astype(int)).max() <= 2


def test_pages(tmp_path):
    """Of all pages, or of the first alone."""
    image = np.random.default_rng(0).integers(0, 255, (4, 60, 70)).astype("u2")
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="minisblack", tile=(16, 16))
    for pages in (False, True):
        windows = TiffWindows(tmp_path / "a.tif", pages)
        windows.write_window(tmp_path / "w.tif", slice(5, 50), slice(10, 60))
        read = read_bands(tmp_path / "w.tif", pages)
        assert np.array_equal(read, image[: 4 if pages else 1, 5:50, 10:60].transpose(1, 2, 0))


def spoil(path, number, byte_count):
    """Say in a TIFF that a block has so many bytes."""
    with tifffile.TiffFile(path, mode="r+b") as file:
        counts = list(file.pages[0].databytecounts)
        counts[number] = byte_count
        file.pages[0].tags["TileByteCounts"].overwrite(counts)


def test_broken(tmp_path):
    path = tmp_path / "a.tif"
    write(path, *KINDS["tiles"])
    content = path.read_bytes()
    spoil(path, 5, 0)
    with pytest.raises(ValueError, match="^1 of its blocks is missing, such as number 5, counted from 0"):
        TiffWindows(path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="truncated"):
        TiffWindows(path)
    path.write_bytes(content)
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[0]
    path.write_bytes(content[:offset] + b"\xff" * 20 + content[offset + 20 :])
    with pytest.raises(ValueError, match="block 0 cannot be decoded"):
        TiffWindows(path).read(slice(0, 9), slice(0, 9))


def test_no_windows(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30), "u1"), extratags=[(274, 3, 1, 6, True)])
    with pytest.raises(NoWindowsError, match="turned"):
        TiffWindows(tmp_path / "a.tif")


@pytest.mark.parametrize("bands, colour", [(1, False), (3, True), (2, False)])
def test_written(bands, colour, tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (bands, 300, 555)).astype("u1")
    tags = [(33550, 12, 3, (0.5, 0.5, 0.0), True)]
    write_tiled(
        tmp_path / "d/a.tif", image.shape, np.uint8, lambda band, rows: image[band, rows], None, colour, tags, "x"
    )
    with tifffile.TiffFile(tmp_path / "d/a.tif") as file:
        page = file.pages[0]
        assert page.is_tiled and page.compression == 8 and page.software == "x"
        assert page.tags[33550].value == (0.5, 0.5, 0.0)
        expected = image.transpose(1, 2, 0) if colour else image[0] if bands == 1 else image
        assert np.array_equal(page.asarray(), expected)
