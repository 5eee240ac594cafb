import pytest
import torch

from fcn_plugin.geometry.coord_map import CoordMap
from fcn_plugin.structures.image_features import ImageFeatures


def test_is_a_tuple_that_knows_its_image():
    maps = [torch.zeros(1), torch.ones(1)]
    features = ImageFeatures(maps, torch.Size([5, 7]), [CoordMap(1, 0), CoordMap(2, 0)])
    assert isinstance(features, tuple) and len(features) == 2 and features[-1] is maps[1]
    assert features.image_size == (5, 7) and features.coord_maps[1].stride == 2


def test_needs_a_coordinate_map_per_feature():
    with pytest.raises(ValueError, match="1 feature maps need as many coordinate maps, got 2"):
        ImageFeatures([torch.zeros(1)], (1, 1), [CoordMap(1, 0)] * 2)
