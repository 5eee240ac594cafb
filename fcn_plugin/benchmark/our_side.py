"""This package's side of a benchmark."""

from __future__ import annotations

from torch import Tensor

from ..engine.allocator import keep_freed_memory
from .inputs import Batch
from .model import build_model, build_optimizer, randomise
from .peer import build_peer, peer_class_of, weights_of
from .setting import Setting
from .side import Side


class OurSide(Side):
    """The config's network, trained by the toolbox's ``train_step`` and the config's optimizer; with the peer's
    weights, if there is one.
    """

    def __init__(self, setting: Setting, dtype: str = "fp32") -> None:
        super().__init__(setting, dtype)
        self.model = build_model(self.cfg, setting.width)
        self.num_classes = self.model.num_classes
        if setting.peer:
            peer = build_peer(peer_class_of(self.cfg), self.num_classes, setting.seed)
            self.model.load_state_dict(weights_of(peer))
            del peer
        else:
            randomise(self.model, setting.seed)
        self.model.to(self.device)
        self.optim_wrapper = build_optimizer(self.cfg, self.model, dtype)
        self.optimizer = self.optim_wrapper.optimizer
        self.modules = dict(self.model.named_modules())
        self.set_inputs(setting.batch, setting.shape)

    def keep_memory(self) -> bool:
        """As in a training with this package."""
        return keep_freed_memory()

    def use(self, batch: Batch) -> None:
        """See :class:`Side`."""
        self.data, self.image = batch, batch.normalised(self.model.data_preprocessor)

    def logits(self) -> Tensor:
        """See :class:`Side`."""
        return self.model(self.image, mode="tensor")

    def step(self) -> None:
        """Preprocess, and train as the toolbox's loops do."""
        self.model.train_step(self.data.data, self.optim_wrapper)
