"""How fine the maps of a network must be."""

import numpy as np
import pytest
from PIL import Image

from fcn_plugin.apis.new_dataset.ceilings import label_ceilings


def test_thin_and_thick_things(tmp_path):
    thin, thick = np.zeros((2, 1200, 64), np.uint8)
    thin[:, ::8] = 1  # lines of one pixel, none of which is most of a cell
    thick[:, 32:] = 1
    for name, label in (("thin", thin), ("thick", thick)):
        Image.fromarray(label).save(tmp_path / f"{name}.png")
    assert label_ceilings([tmp_path / "thick.png"] * 99, 2) == {8: 1, 4: 1, 2: 1}
    thin = label_ceilings([tmp_path / "thin.png"], 2)
    assert thin[8] == pytest.approx((7 / 8 + 0) / 2) and list(thin) == [8, 4, 2]


def test_no_labelled_pixel(tmp_path):
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(tmp_path / "empty.png")
    assert label_ceilings([tmp_path / "empty.png"], 2) == {}
