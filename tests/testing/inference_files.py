"""Weights, pictures and videos to predict with and from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from PIL import Image

#: As in a checkpoint of training on other classes than the config's data set.
META = dict(
    dataset_meta=dict(classes=[f"thing {i}" for i in range(21)], palette=[[7 * i, i, 255 - i] for i in range(21)])
)


def write_weights(config: Path, path: Path, meta: dict = META) -> Path:
    """Save random weights of a config's model that predict several classes."""
    cfg = Config.fromfile(config)
    init_default_scope("mmseg")
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    inputs = model.data_preprocessor(dict(inputs=[torch.from_numpy(picture()).permute(2, 0, 1)]))["inputs"]
    with torch.no_grad():  # no class has the highest scores everywhere
        model.decode_head.score_fr.bias -= model.eval()(inputs).mean((0, 2, 3))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


def picture(seed: int = 0, size: tuple[int, int] = (40, 48)) -> np.ndarray:
    """Blots of colours, BGR, uint8 (H, W, 3)."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_NEAREST)


def write_picture(path: Path, seed: int = 0, size: tuple[int, int] = (40, 48)) -> np.ndarray:
    """Save such a picture, and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = picture(seed, size)
    assert cv2.imwrite(str(path), image)
    return image


def write_video(path: Path, frames: int = 5, fps: float = 12, size: tuple[int, int] = (40, 48)) -> None:
    """Save a video (Motion JPEG) of such pictures."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), fps, size[::-1])
    assert writer.isOpened()
    for number in range(frames):
        writer.write(picture(number, size))
    writer.release()


def read_video(path: Path) -> tuple[list[np.ndarray], float]:
    """All frames of a video, and the frames per second."""
    reader = cv2.VideoCapture(str(path))
    frames = []
    while (result := reader.read())[0]:
        frames.append(result[1])
    return frames, reader.get(cv2.CAP_PROP_FPS)


def index_png(path: Path) -> tuple[np.ndarray, list[list[int]]]:
    """Indices of a palette PNG, and its palette."""
    with Image.open(path) as png:
        assert png.mode == "P" and png.format == "PNG"
        return np.array(png), np.reshape(png.getpalette(), (-1, 3)).tolist()


def files_below(folder: Path) -> set[str]:
    """All files in a folder and below it, hidden ones too."""
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
