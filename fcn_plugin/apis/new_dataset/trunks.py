"""The networks that a new data set can be trained with, what they cost, and the weights that they start from."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...checks.model import build_without_values
from ...utils.building import PACKAGES
from ...utils.text import first_line, nearest
from ...weights.download import local_file, resolve
from ...weights.errors import WeightsError
from ...weights.importing import import_weights
from ...weights.preprocessing import CAFFE, TORCHVISION, preprocessing_of
from ...weights.timm_trunk import answers, package_of, packaged_file, published_file, trunk_weights

PAPER = "vgg16"  #: the paper's network, which is none of timm's
PAPER_WEIGHTS = "https://web.eecs.umich.edu/~justincj/models/vgg16-00b39a1b.pth"
SIZE = 512  #: of the picture that costs are measured on, in pixels
COARSEST = 32  #: stride of the coarsest map that the heads use


@dataclass(frozen=True)
class Trunk:
    """A network whose maps the heads score.

    Attributes:
        name: as the user gives it.
        out_indices: which of its maps are used; empty for the paper's, where it is settled.
        strides: of those, fine to coarse.
        batch_norm: whether it learns statistics of the batch.
        bytes: that its layers return for each pixel of a picture, in float32.
        multiplications: of its convolutions and matrices for each pixel.
        local: whether a cell sees a part of a picture only, however large that is; not with attention or global pools.
    """

    name: str
    out_indices: tuple[int, ...]
    strides: tuple[int, ...]
    batch_norm: bool
    bytes: float
    multiplications: float
    local: bool

    @property
    def is_papers(self) -> bool:
        """Whether it is the VGG16 of the paper, with padding=100."""
        return self.name == PAPER


@dataclass(frozen=True)
class StartWeights:
    """What a trunk starts from.

    Attributes:
        source: in words, for the user; empty for random weights.
        preprocessing: ``mean``, ``std`` and ``bgr_to_rgb`` of the pictures that they were trained on.
        content: of the file to write, none for random weights.
        parts: of the segmentor that they are for.
    """

    source: str = ""
    preprocessing: dict | None = None
    content: bytes = field(default=b"", repr=False)
    parts: Sequence[str] = ()


@lru_cache
def find_trunk(name: str, finest: int) -> Trunk:
    """Build a network without the values of its weights, and measure it.

    Args:
        name (str): ``vgg16``, or one of timm's networks.
        finest (int): stride of the finest map to use, in pixels.

    Raises:
        ValueError: if there is no such network, timm is not installed, or its maps do not fit the heads.
    """
    if name == PAPER:
        backbone = dict(type="FCNVGG", depth=16, padding=100)
        neck = dict(type="FCConvNeck", in_channels=512, channels=4096)
        return _measured(name, (), (8, 16, 32), dict(backbone=backbone, neck=neck))
    timm = _timm(name)
    if not timm.is_model(name):
        raise ValueError(
            f"there is no network {name} in timm {timm.__version__}{nearest(name, [PAPER, *timm.list_models()])}"
        )
    lacks = (
        f"{name} has no maps of different strides, as a plain transformer or a classifier alone: take a convolutional"
    )
    try:
        with torch.device("meta"):
            reductions = timm.create_model(name, features_only=True, pretrained=False).feature_info.reduction()
    except (AttributeError, RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(f"{lacks} network, such as tf_efficientnet_lite0 ({first_line(error)})") from error
    used = [index for index, stride in enumerate(reductions) if finest <= stride <= COARSEST]
    strides = tuple(int(reductions[index]) for index in used)
    if len(strides) < 2 or any(a >= b for a, b in zip(strides, strides[1:])):
        raise ValueError(f"{lacks} network, such as tf_efficientnet_lite0 (strides: {', '.join(map(str, reductions))})")
    backbone = dict(type="TIMMBackbone", model_name=name, pretrained=False, out_indices=tuple(used))
    return _measured(name, tuple(used), strides, dict(backbone=backbone, size_divisor=max(strides)))


def _timm(name: str) -> ModuleType:
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # the latter from a torchvision of another torch
        raise ValueError(
            f"{name} is a network of timm, which cannot be imported ({first_line(error)}): run"
            f" `pip install {PACKAGES['timm']}`, or take {PAPER}"
        ) from error
    return timm


def _measured(name: str, used: tuple[int, ...], strides: tuple[int, ...], settings: dict) -> Trunk:
    head = dict(type="FCNSkipHead", num_classes=3)  # of two, the toolbox warns
    try:
        with DefaultScope.overwrite_default_scope("mmseg"):
            model = build_without_values(dict(type="AlignedEncoderDecoder", decode_head=head, **settings)).eval()
            returned, multiplications, of_everything = _count(model)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"the heads do not fit {name}: {first_line(error)}") from error
    norm = any(isinstance(module, _BatchNorm) for module in model.backbone.modules())
    return Trunk(name, used, strides, norm, returned / SIZE**2, multiplications / SIZE**2, not of_everything)


def _count(model: nn.Module) -> tuple[int, int, int]:
    """What the layers of backbone and neck do for a picture.

    Returns:
        tuple[int, int, int]: bytes that they return, multiplications by their weights, and how many of them return
        tokens (N, L, C) or one cell for all.
    """
    counts = np.zeros(3, np.int64)

    def count(layer: nn.Module, _: object, result: object) -> None:
        if isinstance(result, Tensor):
            weight = getattr(layer, "weight", None)
            applied = weight[0].numel() if weight is not None and weight.ndim > 1 else 0  # to each value of the result
            sees_all = result.ndim == 3 or result.shape[2:] == (1, 1)
            counts[:] += 4 * result.numel(), applied * result.numel(), sees_all

    hooks = [layer.register_forward_hook(count) for layer in model.modules() if not any(layer.children())]
    with torch.no_grad():
        model.extract_feat(torch.empty(1, 3, SIZE, SIZE, device=next(model.parameters()).device))
    for hook in hooks:
        hook.remove()
    return tuple(counts.tolist())


def start_weights(trunk: Trunk, file: str | os.PathLike | None) -> StartWeights:
    """The weights that a trunk starts from: of a file, else published ones, else of an installed package, else none.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: if it cannot be read, or holds weights of another network.
    """
    find = _paper_weights if trunk.is_papers else _timm_weights
    if file is not None:
        return find(trunk, Path(file), str(file))
    if (found := _paper_file() if trunk.is_papers else published_file(trunk.name)) is not None:
        try:
            return find(trunk, found, "its ImageNet weights")
        except WeightsError:  # of another release of timm
            pass
    if (found := packaged_file(trunk.name)) is not None:
        return find(trunk, found, f"its ImageNet weights, of the package {package_of(trunk.name)}")
    return StartWeights()


def _timm_weights(trunk: Trunk, file: Path, source: str) -> StartWeights:
    import timm

    published = timm.create_model(trunk.name, pretrained=False).pretrained_cfg
    scales = {key: [255 * value for value in published.get(key, default)] for key, default in _IMAGENET.items()}
    content = _saved(trunk_weights(trunk.name, file))
    return StartWeights(source, dict(**scales, bgr_to_rgb=True), content, ("backbone",))


_IMAGENET = {key: [value / 255 for value in TORCHVISION[key]] for key in ("mean", "std")}


def _paper_weights(trunk: Trunk, file: Path, source: str) -> StartWeights:
    checkpoint = import_weights(file)
    weights = {key: value for key, value in checkpoint["state_dict"].items() if key.startswith(("backbone.", "neck."))}
    parts = tuple(part for part in ("backbone", "neck") if any(key.startswith(f"{part}.") for key in weights))
    if "backbone" not in parts:
        raise WeightsError(f"{file} holds no weights of VGG16: give those of it")
    preprocessing = checkpoint["meta"].get("preprocessing") or CAFFE  # as most files of its convolutions alone
    content = _saved(dict(state_dict=weights, meta=checkpoint["meta"]))
    return StartWeights(source, preprocessing_of(preprocessing), content, parts)


def _paper_file() -> Path | None:
    """The classifier that the paper's network starts from, as it was downloaded before, or downloaded now."""
    cached = Path(torch.hub.get_dir(), "checkpoints", PAPER_WEIGHTS.rpartition("/")[2])
    try:
        return local_file(PAPER_WEIGHTS) if cached.is_file() or answers(str(resolve(PAPER_WEIGHTS))) else None
    except WeightsError:
        return None


def _saved(content: dict) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()
