"""A trial of the largest picture: memory that does not suffice shows in the first minute, not in the last hour."""

from __future__ import annotations

import copy
import gc
import logging
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from mmengine.registry import FUNCTIONS, DefaultScope
from mmengine.runner.amp import autocast
from mmseg.registry import DATASETS, MODELS
from torch import nn

from .census import Picture
from .model import without_download

#: What PyTorch says besides its own kind of error.
OUT_OF_MEMORY = ("can't allocate memory", "out of memory")


def try_largest(cfg: Config, pictures: Mapping[str, Picture]) -> None:
    """Run a model once on the largest picture of each dataloader: a training step, or a forward pass.

    The model, of random weights, is built for this alone; nothing of the run changes. The batch is as large as that of
    the dataloader. Under a launcher, all processes must call this, as layers and losses may wait for each other.

    Args:
        cfg (Config): its device and precision are set up.
        pictures (Mapping[str, Picture]): by dataloader, in the order in which they are tried.

    Raises:
        ValueError: naming the picture, if there is not enough memory.
    """
    if not pictures:
        return
    with _random_states_kept(), DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"):
        try:
            model = MODELS.build(without_download(cfg.model)).to(get_device())
            for name, picture in pictures.items():
                size, batch = _batch_of(cfg[name], picture)
                if batch is not None:
                    _try(
                        cfg, model, name, batch, f"{picture.path} ({picture.width}x{picture.height}), {size} at a time"
                    )
        finally:
            model = batch = None
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def _try(cfg: Config, model: nn.Module, name: str, batch: dict, what: str) -> None:
    print_log(f"trying the largest picture of {name}: {what}", logger="current")
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # the run itself will say the same
    try:
        if name == "train_dataloader":
            _train_step(cfg, model, batch)
        else:
            loop = cfg.get(f"{name.removesuffix('_dataloader')}_cfg") or {}
            with torch.no_grad(), autocast(enabled=loop.get("fp16", False)):
                model.eval().test_step(batch)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) and not any(
            text in str(error) for text in OUT_OF_MEMORY
        ):
            raise
        raise ValueError(
            f"not enough memory for the largest picture of {name}, {what}: lower {name}.batch_size, crop or resize it"
            " in the pipeline, or set model.backbone.with_cp=True (see 'Out of memory' in docs/troubleshooting.md);"
            " --no-check leaves this trial out"
        ) from error
    finally:
        logging.disable(disabled)


def _train_step(cfg: Config, model: nn.Module, batch: dict) -> None:
    """A step beside the optimizer's state, as the second one of a training has it."""
    settings = {**copy.deepcopy(cfg.optim_wrapper), "accumulative_counts": 1}
    wrapper = build_optim_wrapper(model.train(), settings)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    for part in wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]:
        part.optimizer.step()  # makes the state
        part.optimizer.zero_grad()
    model.train_step(batch, wrapper)
    model.zero_grad()


def _batch_of(loader: Mapping, picture: Picture) -> tuple[int, dict | None]:
    """A batch of the picture alone; its size, and None if the data set itself makes no input, as for a mosaic."""
    dataset = DATASETS.build(copy.deepcopy(picture.dataset))
    sample = dataset[picture.index]
    size = loader.get("batch_size") or (loader.get("batch_sampler") or {}).get("batch_size") or 1
    if "inputs" not in sample:
        return size, None
    settings = dict(loader.get("collate_fn") or {})
    kind = settings.pop("type", pseudo_collate)
    collate = FUNCTIONS.get(kind) if isinstance(kind, str) else kind
    return size, collate([copy.deepcopy(sample) for _ in range(size)], **settings)


@contextmanager
def _random_states_kept() -> Iterator[None]:
    states, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(states)
            np.random.set_state(numpy_state)
