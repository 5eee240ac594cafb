"""A trained segmentor from its config and any known weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmseg.models import BaseSegmentor
from mmseg.registry import MODELS

from ..checks.model import check_model
from ..checks.weights import check_fit
from ..datasets.transforms import LoadBands
from ..datasets.transforms.loading import is_step, without_label_loaders
from ..engine.tta import augmented_pipeline
from ..utils.config import leaf_datasets, override, read_config
from ..utils.text import first_line
from ..weights.checkpoint import WeightsError
from ..weights.download import local_file
from ..weights.first_convolution import first_convolution
from ..weights.importing import import_weights
from .class_meta import class_meta


def init_model(
    config: str | Path | Config, checkpoint: str, device: str | None = None, cfg_options: Mapping | None = None
) -> BaseSegmentor:
    """Build a trained segmentor, as ``mmseg.apis.init_model``, for ``mmseg.apis.inference_model`` and the like.

    Weights of any source are read, without executing anything in them, and checked against the config.

    Arrays that are given to ``inference_model`` are BGR, as OpenCV reads them: a picture of Pillow's is
    ``numpy.asarray(picture)[..., ::-1]``. Those of other shapes or values than the network takes are a ValueError
    (:class:`CheckPicture`).

    Args:
        config (str | Path | Config): of a segmentor; a config that is given is not changed.
        checkpoint (str): its weights by path, URL or name, see :func:`import_weights`.
        device (str, optional): such as ``cpu`` or ``cuda:0``; a GPU by default, if there is one.
        cfg_options (Mapping, optional): settings to override.

    Returns:
        BaseSegmentor: in evaluation mode, with its config as ``cfg``, whose ``test_pipeline`` is the one that it is
        tested with, and its ``classes`` and ``palette`` as ``dataset_meta``.

    Raises:
        FileNotFoundError: if there is no such config, or no such weights.
        WeightsError: if the weights do not fit the model, or expect other input than the config gives.
        ValueError: for a config or a device that cannot be used.
    """
    cfg = copy.deepcopy(config) if isinstance(config, Config) else read_config(str(config))
    override(cfg, cfg_options or {})
    device = usable_device(device)
    model, meta = load_segmentor(cfg, checkpoint)
    model.dataset_meta = class_meta(model.num_classes, cfg, meta)
    first, *others = prediction_pipeline(cfg)
    cfg.test_pipeline = [first, *picture_check(first, model), *others]
    model.cfg = cfg
    return model.to(device).eval()


def load_segmentor(cfg: Config, weights: str) -> tuple[BaseSegmentor, dict]:
    """Build the model of a config with weights that were checked against it.

    Returns:
        tuple[BaseSegmentor, dict]: the model on the CPU, and the ``meta`` of the weights.

    Raises:
        FileNotFoundError, WeightsError, ValueError: as :func:`init_model`.
    """
    init_default_scope(cfg.get("default_scope") or "mmseg")
    check_model(cfg)
    checkpoint = import_weights(local_file(weights))
    if "decode_head" not in check_fit(checkpoint, cfg, weights):
        raise WeightsError(f"{weights} has no decode head, so it is no segmentor: give weights trained with the config")
    model = MODELS.build(cfg.model)
    model.load_state_dict(checkpoint["state_dict"], strict=False)  # what may be missing was checked
    return model, checkpoint["meta"]


def prediction_pipeline(cfg: Config, tta: bool = False) -> list[dict]:
    """The transforms with which a config is tested, or tested with augmentation, without those that load labels.

    Raises:
        ValueError: if there are none.
    """
    dataset = next(leaf_datasets(cfg.get("test_dataloader")), {})
    pipeline = dataset.get("pipeline") or cfg.get("test_pipeline")
    if tta:
        pipeline = augmented_pipeline(cfg, pipeline or [])
    if not pipeline:
        raise ValueError(f"{cfg.filename} has no test_dataloader.dataset.pipeline, which tells how pictures are read")
    return without_label_loaders(pipeline)


def input_channels(model: BaseSegmentor) -> int:
    """Channels of the images that a segmentor takes."""
    _, conv = first_convolution(model.backbone)
    return conv.in_channels


def picture_check(loader: Mapping, model: BaseSegmentor) -> list[dict]:
    """The step that checks a picture behind its loading, as which it must look; none for a loader of another kind."""
    if not is_step(loader, LoadImageFromFile):
        return []
    kept = "unchanged" if is_step(loader, LoadBands) else "color"
    colours = loader.get("color_type", kept).partition("_")[0]  # also as color_ignore_orientation
    channels = {"color": 3, "grayscale": 1}.get(colours) or input_channels(model)
    any_values = colours == "unchanged" or bool(loader.get("to_float32"))
    return [dict(type="CheckPicture", channels=channels, any_values=any_values)]


def usable_device(name: str | None) -> torch.device:
    """A device by its name, by default the best that there is.

    Raises:
        ValueError: if it cannot be used here.
    """
    name = name or get_device()
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"the device {name!r} cannot be used: {first_line(error)}") from error
