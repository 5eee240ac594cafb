"""The losses that a head has."""

from __future__ import annotations

from torch import nn


def losses_of(head: nn.Module) -> list[nn.Module]:
    """The losses of a built head, which has one or a list of them; empty for one without."""
    losses = getattr(head, "loss_decode", None)
    return list(losses) if isinstance(losses, nn.ModuleList) else [losses] if isinstance(losses, nn.Module) else []
