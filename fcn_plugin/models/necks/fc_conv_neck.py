"""The classifier's fully connected layers as convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS
from torch import Tensor, nn

from ...geometry import CoordMap, FeatureMap
from ...structures.image_features import ImageFeatures
from ..layers.fc_conv import FCConv
from ..pretrained_part import PretrainedPart


@MODELS.register_module()
class FCConvNeck(PretrainedPart):
    """fc6 and fc7 as convolutions on the last feature map; finer maps (the skips) pass through unchanged.

    A classifier's linear layers load as they are (``init_cfg=dict(type='Pretrained', ...)``): a weight of
    4096 x 25088 is reshaped to 4096 x 512 x 7 x 7.

    Args:
        in_channels (int): channels of the last feature map.
        channels (int): channels of fc6 and fc7.
        fc6_kernel (int): kernel size of fc6, the side of the classifier's last feature map.
        fc6_padding (int | str): 0 for the reference's valid convolution, which wants a padded image; 'same' keeps the
            size of the map (odd kernels only).
        dropout_ratio (float): elementwise dropout after fc6 and fc7.
        frozen (bool): do not train fc6 and fc7. Their dropout stays on while training, as the paper keeps it wherever
            the classifier has it: it regularises the scores, which still learn (FCN-32s-fixed).
        init_cfg (dict, optional): as in mmengine; by default Kaiming initialisation.

    Shapes: (..., (N, in_channels, h, w)) -> (..., (N, channels, h - k + 1 + 2 * padding, ...)).

    Source: section 3.1 of the FCN paper; reference file ``voc-fcn32s/net.py``.
    """

    part = "neck"

    def __init__(
        self,
        in_channels: int = 512,
        channels: int = 4096,
        fc6_kernel: int = 7,
        fc6_padding: int | str = 0,
        dropout_ratio: float = 0.5,
        frozen: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type="Kaiming", layer="Conv2d"))
        if fc6_padding == "same" and fc6_kernel % 2 == 1:
            fc6_padding = fc6_kernel // 2
        if not isinstance(fc6_padding, int) or fc6_padding < 0:
            raise ValueError(
                f"fc6_padding must be an integer >= 0, or 'same' with an odd kernel; got {fc6_padding!r}, {fc6_kernel}"
            )
        self.fc6 = FCConv(in_channels, channels, fc6_kernel, fc6_padding)
        self.fc7 = FCConv(channels, channels, 1)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout_ratio)
        self.requires_grad_(not frozen)

    def coord_map_behind(self, coord_map: CoordMap) -> CoordMap:
        """Where fc7 lies, given the map before fc6."""
        return coord_map.conv(self.fc6.kernel_size[0], padding=self.fc6.padding[0])

    def feature_maps_behind(self, maps: Sequence[FeatureMap]) -> tuple[FeatureMap, ...]:
        """The maps behind the neck, given those before it.

        Raises:
            ValueError: if the last one has other channels than fc6 takes.
        """
        *skips, last = maps
        if last.channels != self.fc6.in_channels:
            raise ValueError(
                f"{type(self).__name__} does not take the maps of the backbone ({'; '.join(map(str, maps))}): set"
                f" model.neck.in_channels={last.channels}"
            )
        at = last.coord_map and self.coord_map_behind(last.coord_map)
        return (*skips, FeatureMap(self.fc7.out_channels, at, last.stride, last.whole_cells))

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """Replace the last feature map by fc7; maps that know their image (:class:`ImageFeatures`) still do.

        Raises:
            ValueError: if the last map is smaller than a valid fc6.
        """
        *skips, x = inputs
        kernel, padding = self.fc6.kernel_size[0], self.fc6.padding[0]
        if any(length + 2 * padding < kernel for length in x.shape[2:]):
            raise ValueError(
                f"fc6 ({kernel}x{kernel}, padding {padding}) does not fit on a map of {tuple(x.shape[2:])} cells: use a"
                " larger image, padding=100 in the backbone, or fc6_padding='same'"
            )
        x = self.dropout(self.relu(self.fc6(x)))
        x = self.dropout(self.relu(self.fc7(x)))
        if not isinstance(inputs, ImageFeatures):
            return (*skips, x)
        *maps, last = inputs.coord_maps
        return ImageFeatures([*skips, x], inputs.image_size, [*maps, self.coord_map_behind(last)])
