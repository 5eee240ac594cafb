"""Loading any known source of weights through the toolbox's ``init_cfg=dict(type='Pretrained', checkpoint=...)``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from mmengine.dist import barrier, get_dist_info
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from ..utils.text import summarize
from .checkpoint import WeightsError
from .download import local_file
from .importing import canonical_weights, import_weights


def load_part(part: str) -> Callable:
    """A ``load_state_dict`` pre-hook by which a bare backbone or neck takes its weights out of any known checkpoint.

    The toolbox only logs a warning for weights that are missing or of another shape, and training starts at random.

    Args:
        part (str): ``backbone`` or ``neck``.

    Raises:
        WeightsError: by the hook, naming what is missing, unknown or of another shape.
    """

    def hook(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_) -> None:
        if not prefix:  # inside a segmentor, names are canonical already
            weights = part_weights(module, part, canonical_weights(state_dict))
            state_dict.clear()
            state_dict.update(weights)

    return hook


def part_weights(module: nn.Module, part: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of one part of a segmentor, checked against the module that is to take them.

    Args:
        module (nn.Module): the backbone or neck.
        part (str): its name, ``backbone`` or ``neck``.
        weights (dict): canonical weights.

    Raises:
        WeightsError: naming what is missing, unknown or of another shape.
    """
    found = {key.removeprefix(f"{part}."): value for key, value in weights.items() if key.startswith(f"{part}.")}
    own = {key: value for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}
    for key, value in found.items():
        if value.ndim == 2 and key in own and value.numel() == own[key].numel():
            found[key] = value.reshape(own[key].shape)  # fc6 of a file without convolutions
    missing = [key for key in own if key not in found]
    unknown = [key for key in found if key not in own and not key.endswith("num_batches_tracked")]
    reshaped = [
        f"{key} {tuple(found[key].shape)} for {tuple(own[key].shape)}"
        for key in own
        if key in found and found[key].shape != own[key].shape
    ]
    kinds = {"missing": missing, "not in this network": unknown, "of another shape": reshaped}
    problems = "; ".join(f"{kind}: {summarize(keys)}" for kind, keys in kinds.items() if keys)
    if problems:
        raise WeightsError(
            f"the checkpoint does not fit {type(module).__name__} ({problems}; it has: {summarize(list(weights))}):"
            " give the init_cfg of this module a checkpoint that fits, or init_cfg=None to start at random"
        )
    return found


@CheckpointLoader.register_scheme(prefixes=[rf"{start}\.(caffemodel|h5|hdf5)$" for start in (".*", r"https?://\S+")])
def load_from_import(filename: str, map_location: str | torch.device | None = None) -> dict:
    """Load a caffemodel or a Keras file, by path or URL, as a checkpoint of this package.

    The toolbox calls it for such names (``CheckpointLoader``). Of several processes, the first downloads.
    """
    rank, world_size = get_dist_info()
    if rank == 0:
        checkpoint = import_weights(local_file(filename))
    if world_size > 1:
        barrier()
        if rank > 0:
            checkpoint = import_weights(local_file(filename))
    return checkpoint
