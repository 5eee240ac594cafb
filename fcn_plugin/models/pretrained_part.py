"""Parts of a segmentor that take their weights out of any published file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmengine.model import BaseModule, PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS

from ..weights.loading import load_pretrained


class PretrainedPart(BaseModule):
    """A backbone or neck for which ``init_cfg=dict(type='Pretrained', checkpoint=...)`` names any known source.

    Unlike in the toolbox, a file that does not hold all of its weights is an error, not a warning.

    Attributes:
        part (str): the segmentor's name for it, ``backbone`` or ``neck``, under which checkpoints keep its weights.
    """

    part: str

    @property
    def pretrained(self) -> str | None:
        """The file, URL or name of the weights that ``init_cfg`` asks for; None if it starts at random."""
        return pretrained_source(self.init_cfg)

    def init_weights(self) -> None:
        """Initialise as the toolbox does, or load the weights.

        Raises:
            FileNotFoundError, WeightsError: as :func:`fcn_plugin.weights.loading.load_pretrained`.
        """
        if self.pretrained is None:
            super().init_weights()
            return
        load_pretrained(self, self.part, self.pretrained)
        self._is_init = True


def pretrained_source(init_cfg: Mapping | Sequence[Mapping] | None) -> str | None:
    """The checkpoint that an ``init_cfg`` loads, None if it loads none; raises ValueError if it is of another form."""
    parts = [init_cfg] if isinstance(init_cfg, Mapping) else init_cfg or []
    if not isinstance(parts, Sequence) or not all(isinstance(one, Mapping) for one in parts):
        raise ValueError(f"init_cfg must be a dict with a type, or a list of such dicts, got {init_cfg!r}")
    for one in parts:
        kind = one.get("type")
        found = WEIGHT_INITIALIZERS.get(kind) if isinstance(kind, str) else kind
        if isinstance(found, type) and issubclass(found, PretrainedInit):
            return one.get("checkpoint")
    return None
