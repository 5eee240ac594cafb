import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fcn_plugin.visualization.figures import check_picture_name, figure_bytes, read_image, save_figure


@pytest.mark.parametrize(
    "ending, start", [("png", b"\x89PNG"), ("PNG", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_files(tmp_path, ending, start):
    check_picture_name(tmp_path / f"new/a.{ending}")
    save_figure(Figure(), tmp_path / f"new/a.{ending}")
    (file,) = (tmp_path / "new").iterdir()
    assert file.name == f"a.{ending}" and file.read_bytes().startswith(start)
    assert figure_bytes(Figure(), ending.lower()).startswith(start)


def test_a_failed_drawing_leaves_what_was_there(tmp_path, monkeypatch):
    def fail(figure, path, **_):
        path.write_bytes(b"half")
        raise OSError("disk full")

    (tmp_path / "map.png").write_bytes(b"before")
    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        save_figure(Figure(), tmp_path / "map.png")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("map.png", b"before")]


def test_read_image(tmp_path):
    """RGB, also of a grey picture, and turned as it is shown."""
    image = np.random.default_rng(0).integers(0, 256, (2, 3, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "image.png")
    assert np.array_equal(read_image(tmp_path / "image.png"), image)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png"), np.rot90(image, -1))
    Image.fromarray(image[..., 0].copy()).save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png") == image[..., :1]).all()


def test_wrong_files(tmp_path):
    with pytest.raises(ValueError, match="must end in .*png.*, got fields.mp3"):
        check_picture_name("fields.mp3")
    for content in (b"", b"no image"):
        (tmp_path / "other.png").write_bytes(content)
        with pytest.raises(ValueError, match="other.png is no image"):
            read_image(tmp_path / "other.png")
    with pytest.raises(FileNotFoundError, match="there is no image .*missing.png"):
        read_image(tmp_path / "missing.png")
