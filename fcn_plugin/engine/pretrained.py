"""The ImageNet weights from which a config's trunk is initialised."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from ..weights.checkpoint import read_checkpoint


def check_pretrained(cfg: Config) -> None:
    """Check that the checkpoints from which backbone and neck are initialised can be read (URLs are not tried).

    Raises:
        FileNotFoundError: naming the option that gives another file.
        WeightsError: for a file that is truncated or unsafe.
    """
    for part in ("backbone", "neck"):
        init_cfg = (cfg.model.get(part) or {}).get("init_cfg")
        if not is_pretrained(init_cfg):
            continue
        checkpoint = init_cfg["checkpoint"]
        if "://" in checkpoint:
            continue
        path = Path(checkpoint).expanduser()
        if not path.is_file():
            raise FileNotFoundError(
                f"the pretrained weights of the {part}, {checkpoint}, do not exist: give another file or URL with"
                f" --cfg-options model.{part}.init_cfg.checkpoint=FILE"
            )
        read_checkpoint(path)


def drop_pretrained(cfg: Config) -> None:
    """Remove the ImageNet initialisation of a model that starts from a checkpoint of its own."""
    for part in ("backbone", "neck"):
        component = cfg.model.get(part) or {}
        if is_pretrained(component.get("init_cfg")):
            component.init_cfg = None


def is_pretrained(init_cfg: dict | None) -> bool:
    """Whether an ``init_cfg`` loads a checkpoint."""
    return isinstance(init_cfg, dict) and init_cfg.get("type") == "Pretrained"
