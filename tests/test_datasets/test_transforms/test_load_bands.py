import copy

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmseg.registry import TRANSFORMS
from PIL import Image
from testing.bands import picture, write_tiff

from fcn_plugin.checks.samples import SampleCheck
from fcn_plugin.datasets.transforms import LoadBands, LoadLabels
from fcn_plugin.datasets.transforms.loading import picture_of


def load(path, **settings) -> dict:
    with DefaultScope.overwrite_default_scope("mmseg"):
        return TRANSFORMS.build(dict(type="LoadBands", **settings))(dict(img_path=str(path)))


@pytest.mark.parametrize("bands", [1, 4, 6])
def test_all_bits_reach_the_network(bands, tmp_path):
    image = picture(0, bands)
    write_tiff(tmp_path / "a.tif", image)
    results = load(tmp_path / "a.tif")
    assert results["img_shape"] == results["ori_shape"] == image.shape[:2]
    assert results["img"].dtype == np.float32 and results["img"].flags.c_contiguous
    assert np.array_equal(results["img"], image[..., 0] if bands == 1 else image)
    with DefaultScope.overwrite_default_scope("mmseg"):
        packed = TRANSFORMS.build(dict(type="PackSegInputs"))(results)["inputs"]
    assert torch.equal(packed, torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1))


def test_eight_bits_stay(tmp_path):
    image = (picture(0, 3) % 256).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    assert np.array_equal(load(tmp_path / "a.png")["img"], image[..., ::-1])  # BGR, as by LoadImageFromFile
    assert load(tmp_path / "a.png")["img"].dtype == np.uint8
    assert load(tmp_path / "a.png", to_float32=True)["img"].dtype == np.float32


@pytest.mark.parametrize(
    ("bands", "rgb", "shown"),
    [(1, None, [0] * 3), (2, None, [0] * 3), (3, None, [0, 1, 2]), (5, None, [2, 1, 0]), (5, [4, 0, 1], [1, 0, 4])],
)
def test_bands_that_are_shown(bands, rgb, shown):
    image = (picture(0, bands) % 256).astype(np.uint8)
    assert np.array_equal(picture_of(image, LoadBands(rgb=rgb)), image[..., shown])  # BGR


@pytest.mark.parametrize("rgb", [[0, 1], [], [0, 1, -1], [0.5, 1, 2]])
def test_wrong_bands_to_show(rgb):
    with pytest.raises(ValueError, match="must be three bands, or one, counted from 0, got"):
        LoadBands(rgb=rgb)


def test_what_cannot_be_loaded(tmp_path):
    write_tiff(tmp_path / "a.tif", picture(0))
    with pytest.raises(ValueError, match=r"a.tif: it has 4 bands, counted from 0, of which rgb=\[4, 3, 2\] are shown"):
        load(tmp_path / "a.tif", rgb=[4, 3, 2])
    image = picture(0).astype(np.float32)
    image[3, 4, 1], image[5, 6, 2] = np.nan, np.inf
    write_tiff(tmp_path / "a.tif", image)
    with pytest.raises(ValueError, match=r"a.tif: 2 of its values are infinite or no numbers \(NaN\)"):
        load(tmp_path / "a.tif")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "b.tif")


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_check_of_a_sample(kind, tmp_path, capfd):
    write_tiff(tmp_path / "a.tif", picture(0, 6).astype(kind))
    Image.fromarray(np.zeros(picture(0).shape[:2], np.uint8)).save(tmp_path / "a.png")
    sample = dict(
        img_path=str(tmp_path / "a.tif"), seg_map_path=str(tmp_path / "a.png"), reduce_zero_label=False, seg_fields=[]
    )
    findings = SampleCheck([LoadBands(), LoadLabels()], 2)(copy.deepcopy(sample))
    assert findings.problems == [] and findings.size == (48, 40, 6) and findings.highest is None
    assert capfd.readouterr().err == ""
