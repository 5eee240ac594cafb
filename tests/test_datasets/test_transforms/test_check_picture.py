import numpy as np
import pytest
import torch
from PIL import Image

from fcn_plugin.datasets.transforms import CheckPicture, CopyImage

COLOUR = np.zeros((5, 7, 3), np.uint8)


@pytest.mark.parametrize(
    "channels, any_values, image",
    [
        (3, False, COLOUR),
        (3, False, np.zeros((1, 1, 3), np.uint8)),
        (1, False, COLOUR[..., 0]),
        (1, False, COLOUR[..., :1]),
        (3, True, COLOUR / 2),
        (4, True, np.zeros((5, 7, 4), np.uint16)),
    ],
)
def test_right(channels, any_values, image):
    results = CheckPicture(channels, any_values)(dict(img=image))
    assert results["img"] is image


BGR = r"expected a picture, BGR \(H, W, 3\), uint8 from 0 to 255"


@pytest.mark.parametrize(
    "image, error, message",
    [
        (COLOUR / 255, ValueError, f"{BGR}, got float64 from 0.0 to 0.0: scale it"),
        (COLOUR.astype(np.int64) - 1, ValueError, f"{BGR}, got int64 from -1 to -1"),
        (COLOUR > 0, ValueError, f"{BGR}, got bool"),
        (COLOUR.transpose(2, 0, 1), ValueError, rf"{BGR}, got the shape \(3, 5, 7\): .*\.transpose\(1, 2, 0\)"),
        (COLOUR[..., 0], ValueError, rf"{BGR}, got the shape \(5, 7\): make it colour with cv2.cvtColor"),
        (np.zeros((5, 7, 4), np.uint8), ValueError, r"got the shape \(5, 7, 4\): leave the transparency out"),
        (COLOUR[None], ValueError, r"got the shape \(1, 5, 7, 3\)$"),
        (COLOUR[:0], ValueError, r"got no pixel: \(0, 7, 3\)"),
        (torch.zeros(3, 5, 7), TypeError, f"{BGR}, as NumPy array, got Tensor"),
        (Image.new("RGB", (5, 7)), TypeError, "as NumPy array, got Image"),
        ("picture.png", TypeError, "as NumPy array, got str"),
    ],
)
def test_wrong(image, error, message):
    with pytest.raises(error, match=message):
        CheckPicture().check(image)


def test_other_networks():
    with pytest.raises(ValueError, match=r"expected a picture, grey \(H, W\), uint8 .*, got the shape \(5, 7, 3\)$"):
        CheckPicture(1).check(COLOUR)
    with pytest.raises(ValueError, match=r"expected a picture, \(H, W, 4\), got the shape \(5, 7, 3\)$"):
        CheckPicture(4, any_values=True).check(COLOUR)
    assert repr(CheckPicture(4, True)) == "CheckPicture(channels=4, any_values=True)"


def test_copied_image_is_one_that_pytorch_takes():
    view = np.arange(6, dtype=np.uint8).reshape(2, 1, 3)[:, ::-1]
    assert view.flags.c_contiguous  # as NumPy says
    with pytest.raises(ValueError, match="negative"):
        torch.from_numpy(view.transpose(2, 0, 1))
    copied = CopyImage()(dict(img=view))["img"]
    assert torch.from_numpy(copied.transpose(2, 0, 1)).flatten().tolist() == view.transpose(2, 0, 1).ravel().tolist()
