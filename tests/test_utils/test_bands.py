"""Pictures of any bands and bits: every value at its place."""

import io

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from fcn_plugin.utils.bands import INSTALL, decode_bands, describe_picture, read_bands
from fcn_plugin.utils.images import as_picture, size_of

RANDOM = np.random.default_rng(0)


def values(bands: int, kind: str) -> np.ndarray:
    info = np.iinfo(kind) if np.dtype(kind).kind in "ui" else np.iinfo("int16")
    return RANDOM.integers(info.min, info.max, (9, 7, bands), endpoint=True).astype(kind)


def tiff(image: np.ndarray, first: bool = False, **options) -> bytes:
    content = io.BytesIO()
    if image.shape[2] > 1:
        options["planarconfig"] = "separate" if first else "contig"
    image = image[..., 0] if image.shape[2] == 1 else image.transpose(2, 0, 1) if first else image
    tifffile.imwrite(content, image, **{"photometric": "minisblack", **options})
    return content.getvalue()


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "uint32", "float32"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4, 6])
class TestTiff:
    @pytest.mark.parametrize("first", [False, True])
    @pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd"])
    def test_values(self, bands, kind, first, compression, capfd):
        image = values(bands, kind)
        read = decode_bands(tiff(image, first, compression=compression))
        assert read.dtype == image.dtype and np.array_equal(read, image[..., ::-1] if bands == 3 else image)
        assert capfd.readouterr().err == ""

    def test_colours(self, bands, kind):
        if bands >= 3:
            image = values(bands, kind)
            read = decode_bands(tiff(image, photometric="rgb"))
            assert np.array_equal(read, image[..., ::-1] if bands == 3 else image)


class TestOthers:
    @pytest.mark.parametrize("kind", ["uint8", "uint16"])
    @pytest.mark.parametrize("bands", [1, 3, 4])
    def test_png(self, bands, kind, tmp_path):
        image = values(bands, kind)
        assert cv2.imwrite(str(tmp_path / "a.png"), image)  # BGR, as OpenCV has it
        expected = image[..., [2, 1, 0, 3]] if bands == 4 else image  # red is the first of four in the file
        assert np.array_equal(read_bands(tmp_path / "a.png"), expected)
        assert describe_picture(tmp_path / "a.png") == (9, 7, bands, 8 * image.itemsize)

    def test_array(self, tmp_path):
        for image in (values(5, "float32"), values(1, "uint16")[..., 0]):
            np.save(tmp_path / "a.npy", image)
            assert np.array_equal(read_bands(tmp_path / "a.npy"), image.reshape(9, 7, -1))
            assert size_of(str(tmp_path / "a.npy")) == (7, 9)

    def test_palette_and_one_bit(self, tmp_path):
        colours = Image.fromarray(values(3, "uint8")[:4, :4])
        for name in ("a.png", "a.tif", "a.gif"):
            palette = colours.convert("P")
            palette.save(tmp_path / name)
            assert np.array_equal(read_bands(tmp_path / name)[..., ::-1], np.asarray(palette.convert("RGB"))), name
        bits = values(1, "uint8")[..., 0] > 127
        for name in ("b.png", "b.tif"):
            Image.fromarray(bits).save(tmp_path / name)
            assert np.array_equal(read_bands(tmp_path / name), 255 * bits[..., None]), name

    def test_jpeg_is_turned(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(values(3, "uint8")).save(tmp_path / "a.jpg", exif=exif)
        assert np.array_equal(read_bands(tmp_path / "a.jpg"), cv2.imread(str(tmp_path / "a.jpg")))
        assert describe_picture(tmp_path / "a.jpg") == (7, 9, 3, 8)

    def test_pages(self):
        content, image = io.BytesIO(), values(3, "uint16")
        tifffile.imwrite(content, image.transpose(2, 0, 1), photometric="minisblack")
        assert np.array_equal(decode_bands(content.getvalue()), image[..., :1])
        assert np.array_equal(decode_bands(content.getvalue(), pages=True), image)

    def test_size_of_a_tiff_of_bands(self, tmp_path):
        (tmp_path / "a.tif").write_bytes(tiff(values(6, "uint16"), first=True))
        assert size_of(str(tmp_path / "a.tif")) == (7, 9)


class TestBroken:
    @pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd"])
    @pytest.mark.parametrize("bands", [1, 3, 6])
    def test_truncated_tiff(self, bands, compression):
        content = tiff(np.tile(values(bands, "uint16"), (9, 9, 1)), compression=compression)
        for length in (90, len(content) // 2):
            with pytest.raises(ValueError, match="truncated, or (no picture|a TIFF) that"):
                decode_bands(content[:length])

    @pytest.mark.parametrize("content", [b"", b"text", b"II*\0 is no TIFF"])
    def test_no_picture(self, content):
        with pytest.raises(ValueError, match="truncated, or"):
            decode_bands(content)

    def test_arrays(self, tmp_path):
        for array, reason in (
            (np.zeros(3), r"expected an array \(height, width\) or .*, got \(3,\)"),
            (np.zeros((2, 2), complex), "no picture: values of complex128"),
            (np.zeros((0, 2)), "no picture: values of float64, 0x2"),
            (np.array([[None]]), "no array of numbers"),
        ):
            np.save(tmp_path / "a.npy", array)
            with pytest.raises(ValueError, match=f"a.npy: .*{reason}"):
                read_bands(tmp_path / "a.npy")

    def test_packages_that_are_missing(self, monkeypatch):
        def fail(page):
            raise ValueError("<COMPRESSION.ZSTD: 50000> requires the 'imagecodecs' package")

        wide = tiff(values(6, "uint8"))
        with monkeypatch.context() as patch, pytest.raises(ValueError) as error:
            patch.setattr(tifffile.TiffPage, "asarray", fail)
            decode_bands(wide)
        assert INSTALL in str(error.value)
        monkeypatch.setattr("fcn_plugin.utils.bands.find_spec", lambda name: None)
        with pytest.raises(ValueError) as error:
            decode_bands(wide)
        assert INSTALL in str(error.value)
        image = values(3, "uint8")
        assert np.array_equal(decode_bands(tiff(image, photometric="rgb"))[..., ::-1], image)  # OpenCV suffices


class TestShown:
    def test_chosen_bands_are_stretched_apart(self):
        image, ramp = np.zeros((1000, 1, 4), np.float32), np.linspace(0, 1, 1000)
        image[:, 0, 3] = 1000 + ramp
        image[:, 0, 1] = 700 * ramp
        image[0, 0, 1], image[999, 0, 3] = -9e9, 9e9  # single wrong values
        picture = as_picture(image, (3, 1, 0))
        assert picture.shape == (1000, 1, 3) and not picture[..., 0].any()  # blue is the last
        for band in (1, 2):
            assert np.abs(picture[1:999, 0, band] - 255 * ramp[1:999]).max() < 4
        assert as_picture(image, (3,))[..., 0].tolist() == picture[..., 2].tolist()

    def test_eight_bits_stay(self):
        image = values(6, "uint8")
        assert np.array_equal(as_picture(image, (0, 4, 5)), image[..., [5, 4, 0]])
        assert np.array_equal(as_picture(image.astype(np.float32), (0, 4, 5)), image[..., [5, 4, 0]])
