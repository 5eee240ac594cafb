import copy
import pickle
from operator import itemgetter

import pytest
import torch
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader

from fcn_plugin.geometry.coord_map import CoordMap
from fcn_plugin.structures.image_features import ImageFeatures

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def features() -> ImageFeatures:
    maps = [torch.arange(6.0).reshape(1, 1, 2, 3), torch.ones(1, 2, 1, 1)]
    return ImageFeatures(maps, (5, 7), [CoordMap(2, -1), CoordMap(4, 3)])


def test_is_a_tuple_that_knows_its_image():
    maps = [torch.zeros(1), torch.ones(1)]
    features = ImageFeatures(maps, torch.Size([5, 7]), [CoordMap(1, 0), CoordMap(2, 0)])
    assert isinstance(features, tuple) and len(features) == 2 and features[-1] is maps[1]
    assert features.image_size == (5, 7) and features.coord_maps[1].stride == 2


def test_needs_a_coordinate_map_per_feature():
    with pytest.raises(ValueError, match="1 feature maps need as many coordinate maps, got 2"):
        ImageFeatures([torch.zeros(1)], (1, 1), [CoordMap(1, 0)] * 2)


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        *(lambda value, p=protocol: pickle.loads(pickle.dumps(value, p)) for protocol in PROTOCOLS),
    ],
    ids=["copy", "deepcopy", *map(str, PROTOCOLS)],
)
def test_copies(copied):
    original = features()
    other = copied([original])[0]
    assert type(other) is ImageFeatures and len(other) == 2
    assert all(torch.equal(mine, its) for mine, its in zip(original, other))
    assert (other.image_size, other.coord_maps) == ((5, 7), (CoordMap(2, -1), CoordMap(4, 3)))


def test_copies_share_maps_or_not():
    original = features()
    assert copy.copy(original)[0] is original[0]
    deep = copy.deepcopy(original)
    deep[0].zero_()
    assert deep[0].sum() == 0 and original[0].sum() == 15


def test_through_a_worker_process():
    """As a dataset of computed features would give them."""
    (loaded,) = DataLoader([features()], num_workers=1, collate_fn=itemgetter(0))
    assert type(loaded) is ImageFeatures and loaded.image_size == (5, 7) and torch.equal(loaded[0], features()[0])
    assert loaded.coord_maps == features().coord_maps


def test_through_activation_checkpointing():
    weight = torch.ones(1, requires_grad=True)

    def scaled(image: torch.Tensor) -> ImageFeatures:
        return ImageFeatures([weight * image, weight**2 * image], (2, 3), [CoordMap(1, 0)] * 2)

    maps = checkpoint(scaled, torch.arange(6.0).reshape(2, 3), use_reentrant=False)
    assert maps.image_size == (2, 3) and maps.coord_maps == (CoordMap(1, 0),) * 2
    (maps[0].sum() + maps[1].sum()).backward()
    assert weight.grad == 15 + 30
