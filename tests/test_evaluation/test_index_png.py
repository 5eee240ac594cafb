import numpy as np
import pytest
from PIL import Image

from fcn_plugin.evaluation.index_png import read_indices


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
