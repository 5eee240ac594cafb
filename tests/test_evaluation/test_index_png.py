import numpy as np
import pytest
from PIL import Image

from fcn_plugin.evaluation.index_png import check_number_of_classes, read_indices, write_indices


@pytest.mark.parametrize("palette", [False, True])
def test_indices(palette, tmp_path):
    picture = Image.fromarray(np.array([[0, 7], [255, 3]], np.uint8))
    if palette:
        picture.putpalette(bytes(range(256)) * 3)
    picture.save(tmp_path / "a.png")
    indices = read_indices(tmp_path / "a.png")
    assert indices.tolist() == [[0, 7], [255, 3]] and indices.dtype == np.uint8


def test_other_files(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match="mode RGB, expected class indices"):
        read_indices(tmp_path / "colour.png")
    with pytest.raises(ValueError, match="text.png cannot be read as an index PNG"):
        read_indices(tmp_path / "text.png")
    with pytest.raises(FileNotFoundError, match="missing.png"):
        read_indices(tmp_path / "missing.png")


def test_written_as_the_data_set_has_them(tmp_path):
    """With reduce_zero_label, the first class is 1; its colour goes with it."""
    indices, palette = np.array([[0, 1], [1, 0]]), [[9, 8, 7], [6, 5, 4]]
    for reduced, stored in ((False, [[0, 1], [1, 0]]), (True, [[1, 2], [2, 1]])):
        path = tmp_path / f"sub/{reduced}.png"
        write_indices(path, indices, palette, reduced)
        with Image.open(path) as picture:
            assert np.array(picture).tolist() == stored
            assert np.array(picture.convert("RGB")).tolist() == np.array(palette)[indices].tolist()
        assert read_indices(path, reduced).tolist() == indices.tolist()
    write_indices(tmp_path / "grey.png", indices, None)
    assert read_indices(tmp_path / "grey.png").tolist() == indices.tolist()
    with pytest.raises(ValueError, match="False.png has the index 0, but the first class of a data set with reduce"):
        read_indices(tmp_path / "sub/False.png", reduce_zero_label=True)


def test_number_of_classes(tmp_path):
    check_number_of_classes(256)
    check_number_of_classes(255, reduce_zero_label=True)
    write_indices(tmp_path / "a.png", np.array([[254]]), [[1] * 3] * 255, True)
    assert read_indices(tmp_path / "a.png", True).tolist() == [[254]]
    with pytest.raises(ValueError, match="hold 255 classes, got 256"):
        check_number_of_classes(256, reduce_zero_label=True)
