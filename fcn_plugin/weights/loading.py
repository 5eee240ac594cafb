"""Loading one part of a segmentor, a backbone or a neck, from any known source of weights."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ..utils.text import summarize
from .checkpoint import WeightsError
from .download import local_file_of_all
from .first_convolution import fit_bands
from .importing import import_weights


def load_pretrained(module: nn.Module, part: str, source: str) -> None:
    """Load the weights of a backbone or a neck out of a file of any known source.

    Of several processes, the first downloads. The toolbox's own loading only logs a warning for weights that are
    missing or of another shape, and training starts at random.

    Args:
        module (nn.Module): the backbone or neck.
        part (str): the segmentor's name for it, ``backbone`` or ``neck``.
        source (str): a path, a URL or a name in a model zoo, as :func:`local_file` takes it.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: if the file cannot be downloaded, is damaged, unsafe or of no known source, or does not fit.
    """
    module.load_state_dict(part_weights(module, part, import_weights(local_file_of_all(source))["state_dict"]))


def part_weights(module: nn.Module, part: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of one part of a segmentor, checked against the module that is to take them.

    The first convolution of a backbone for other bands than three is adapted (:func:`fit_bands`).

    Args:
        module (nn.Module): the backbone or neck.
        part (str): its name, ``backbone`` or ``neck``.
        weights (Mapping[str, Tensor]): canonical weights.

    Raises:
        WeightsError: naming what is missing, unknown or of another shape.
    """
    own = module.state_dict()
    found = {key.removeprefix(f"{part}."): value for key, value in weights.items() if key.startswith(f"{part}.")}
    if part == "backbone":
        found = fit_bands(module, found)
    misfits = compare_state_dicts(own, found)
    if misfits:
        problems = "; ".join(f"{kind}: {summarize(keys)}" for kind, keys in misfits.items())
        raise WeightsError(
            f"the checkpoint does not fit {type(module).__name__} ({problems}; it has: {summarize(list(weights))}):"
            " give the init_cfg of this module a checkpoint that fits, or init_cfg=None to start at random"
        )
    return found


def compare_state_dicts(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """What keeps weights from being loaded; the counters of BatchNorm may be missing or left over.

    Args:
        own (Mapping[str, Tensor]): the state dict of the module that is to take them.
        given (Mapping[str, Tensor]): the weights.

    Returns:
        dict[str, list[str]]: names of the weights that are ``missing``, ``unknown`` or ``of another shape``, the last
        with both shapes, such as ``fc6.weight (8, 4, 7, 7) for (8, 4, 3, 3)``. A kind without weights is left out.
    """
    own, given = (
        {key: value for key, value in weights.items() if not key.endswith("num_batches_tracked")}
        for weights in (own, given)
    )
    misfits = {
        "missing": [key for key in own if key not in given],
        "unknown": [key for key in given if key not in own],
        "of another shape": [
            f"{key} {tuple(given[key].shape)} for {tuple(own[key].shape)}"
            for key in own
            if key in given and given[key].shape != own[key].shape
        ],
    }
    return {kind: keys for kind, keys in misfits.items() if keys}
