"""The peer's side of a benchmark."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn

from ..checks.model import check_model
from ..engine.allocator import keep_freed_memory
from .inputs import IGNORE_INDEX, Batch
from .peer import build_peer, peer_class_of, peer_optimizer
from .setting import Setting
from .side import Side


class PeerSide(Side):
    """pytorch-fcn's network in float32, trained as by its trainer: SGD on the summed cross entropy.

    Its images are normalised before, as in its data set; what its trainer logs is left out.
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.num_classes = check_model(self.cfg).num_classes
        self.preprocessor = MODELS.build(self.cfg.model.data_preprocessor)
        self.model = build_peer(peer_class_of(self.cfg), self.num_classes, setting.seed).to(self.device)
        self.optimizer = peer_optimizer(self.model)
        self.loss = nn.CrossEntropyLoss(ignore_index=IGNORE_INDEX, reduction="sum")
        self.modules = dict(self.model.named_modules(), loss=self.loss)
        self.set_inputs(setting.batch, setting.shape)

    def keep_memory(self) -> bool:
        """If the setting says so; the peer's users do not have it."""
        return self.setting.peer_keeps_memory and keep_freed_memory()

    def use(self, batch: Batch) -> None:
        """See :class:`Side`."""
        self.data, self.labels = batch.normalised(self.preprocessor), batch.labels
        self.image = self.data.to(self.device)

    def logits(self) -> Tensor:
        """See :class:`Side`."""
        return self.model(self.image)

    def step(self) -> None:
        """Train as ``Trainer.train_epoch`` does."""
        data, target = self.data.to(self.device), self.labels.to(self.device)
        self.optimizer.zero_grad()
        loss = self.loss(self.model(data), target) / len(data)
        loss.backward()
        self.optimizer.step()
