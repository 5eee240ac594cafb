"""Pictures of any number of bands, with all their bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from mmseg.registry import TRANSFORMS

from ...utils.bands import decode_bands


@TRANSFORMS.register_module()
class LoadBands(LoadImageFromFile):
    """Load a picture of any number of bands, and of 8, 16 or 32 bits, from a PNG, TIFF, .npy or what OpenCV reads.

    The toolbox's ``LoadImageFromFile`` makes three bands of 8 bits of any picture, or with
    ``color_type='unchanged'`` reads up to four of a TIFF, and sometimes fewer than there are.

    Three bands are in the order BGR, as everywhere in the toolbox; any other number is in the order of the file. As the
    toolbox's other transforms take no other values, pictures of 8 bits stay uint8, and all others become float32, which
    has each value of 16 bits as it is.

    Required keys: img_path. Added keys: img, uint8 or float32 (H, W) of one band and (H, W, N) of more, img_shape and
    ori_shape.

    Args:
        pages (bool): the pages of a TIFF are its bands; by default, the first page alone is read.
        rgb (Sequence[int], optional): the bands that are shown as red, green and blue where pictures are painted, from
            0 on; one band for grey. By default the first three, or the first of fewer.
        to_float32 (bool): make float32 of 8 bits, too.
        backend_args (dict, optional): where to read files from, as in the toolbox.

    Raises:
        ValueError: for another ``rgb``; in loading, for a file that cannot be read, values that are not finite, and
            fewer bands than ``rgb`` names.
        OSError: in loading, if there is no such file.
    """

    def __init__(
        self,
        pages: bool = False,
        rgb: Sequence[int] | None = None,
        to_float32: bool = False,
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(to_float32=to_float32, color_type="unchanged", backend_args=backend_args)
        if rgb is not None and (len(rgb) not in (1, 3) or any(not isinstance(i, int) or i < 0 for i in rgb)):
            raise ValueError(f"rgb of LoadBands must be three bands, or one, counted from 0, got {rgb!r}")
        self.pages, self.rgb = pages, rgb

    def transform(self, results: dict) -> dict:
        """Load the picture."""
        path = results["img_path"]
        try:
            image = decode_bands(fileio.get(path, backend_args=self.backend_args), self.pages)
            self._check(image)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if self.to_float32 or image.dtype != np.uint8:
            image = image.astype(np.float32)
        results["img"] = np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image)
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results

    def _check(self, image: np.ndarray) -> None:
        if self.rgb is not None and max(self.rgb) >= image.shape[2]:
            raise ValueError(f"it has {image.shape[2]} bands, counted from 0, of which rgb={list(self.rgb)} are shown")
        if image.dtype.kind == "f" and (number := np.count_nonzero(~np.isfinite(image))):
            raise ValueError(f"{number} of its values are infinite or no numbers (NaN): save other values for them")

    def shown(self, bands: int) -> Sequence[int]:
        """The bands of a loaded picture of so many that are shown as red, green and blue; one for grey."""
        if self.rgb is not None:
            return self.rgb
        return (2, 1, 0) if bands == 3 else (0, 1, 2) if bands > 3 else (0,)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(pages={self.pages}, rgb={self.rgb}, to_float32={self.to_float32},"
            f" backend_args={self.backend_args})"
        )
