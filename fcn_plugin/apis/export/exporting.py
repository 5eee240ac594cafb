"""From a config and its weights to a file that was compared with them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config

from ...checks.weights import model_preprocessing
from ...models.heads import last_head
from ...utils.files import atomic_write, check_writable
from ...utils.torch_versions import require
from ...weights.download import local_file
from ...weights.importing import file_checksums
from ..model import load_segmentor
from .check import CheckError, Difference, check_sizes, compare, smallest_side
from .metadata import network_metadata
from .network import ExportableNetwork, prepare
from .onnx_file import OnnxFile
from .torch_file import TorchFile

FORMATS = {kind.suffix: kind for kind in (OnnxFile, TorchFile)}


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        path: the file.
        metadata: what it says of itself.
        differences: from the network, at each size at which they were compared; empty if they were not.
    """

    path: Path
    metadata: dict[str, str]
    differences: list[Difference]


def file_format(path: Path, opset: int | None = None) -> OnnxFile | TorchFile:
    """The format that a file's name asks for.

    Raises:
        ValueError: if it is not known, has no opset, or needs packages that are missing.
    """
    if path.suffix not in FORMATS:
        raise ValueError(f"the file to write must end in {' or '.join(FORMATS)}, got {path.name}")
    if FORMATS[path.suffix] is OnnxFile:
        return OnnxFile(opset)
    if opset is not None:
        raise ValueError(f"an opset is for {OnnxFile.suffix} files, got {path.name}")
    return FORMATS[path.suffix]()


def export_network(
    cfg: Config,
    weights: str,
    out: str | os.PathLike,
    *,
    shape: tuple[int, int] = (256, 320),
    opset: int | None = None,
    prepared_input: bool = False,
    fixed_size: bool = False,
    check: bool = True,
) -> Exported:
    """Write the network of a config, with its weights, to a file that needs neither toolbox nor config.

    The file takes images of any number and size, unless ``fixed_size``, and gives logits of exactly their size. It is
    compared with the network before it gets its name: the file is whole and right, or not there.

    Args:
        cfg (Config): of a segmentor with a skip head, or another EncoderDecoder of the toolbox.
        weights (str): checkpoint of any known source, by path, URL or name.
        out (str | os.PathLike): file to write, .onnx or .pt2.
        shape (tuple[int, int]): height and width of the images to export at, and to start the comparison from.
        opset (int, optional): of ONNX; by default the one that PyTorch chooses.
        prepared_input (bool): leave channel order, mean and standard deviation to the caller. By default, they are part
            of the network, which takes BGR images, 0..255.
        fixed_size (bool): the file takes single images of ``shape`` alone.
        check (bool): compare.

    Raises:
        FileExistsError: if there is such a file already.
        FileNotFoundError: if its directory, or the weights, do not exist.
        CheckError: if the file does not compute what the network computes; it is removed.
        ValueError: before PyTorch 2.8, for a format or network that cannot be exported, missing packages, or weights
            that do not fit.
    """
    require("2.8", "export")
    out = Path(out)
    file = file_format(out, opset)
    if out.exists():
        raise FileExistsError(f"{out} exists already: give another name, or remove it")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {out.parent} to write {out.name} to")
    check_writable(out.parent)
    model, meta = load_segmentor(cfg, weights)
    preprocessor = None if prepared_input else model_preprocessing(model)
    network = ExportableNetwork(prepare(model), preprocessor).eval()
    smallest = check_shape(network, file, shape, fixed_size)
    metadata = network_metadata(cfg, network, meta, file_checksums(local_file(weights))["sha256"])
    sizes = [(1, *shape)] if fixed_size else check_sizes(shape, smallest)
    example = torch.zeros(1 if fixed_size else 2, network.channels, *shape)
    # some networks do other things at other sizes, as Swin and HRNet
    remedy = "" if fixed_size else ": export it for images of one size with --fixed-size"
    with atomic_write(out) as partial:
        try:
            file.write(network, partial, example, fixed_size, metadata)
            differences = compare(network, file.runner(partial), sizes) if check else []
        except CheckError as error:
            raise CheckError(f"{error}{remedy}") from error
        except ValueError:
            raise
        except Exception as error:  # the exporters raise many kinds
            cause = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
            name = f"{type(model.backbone).__name__} with {type(last_head(model)).__name__}"
            raise ValueError(f"{name} cannot be exported to {file.suffix} ({cause[0]}){remedy}") from error
    return Exported(out, metadata, differences)


def check_shape(
    network: ExportableNetwork, file: OnnxFile | TorchFile, shape: tuple[int, int], fixed_size: bool
) -> int:
    """The side of the smallest images to compare at; raises ValueError if a file cannot be made at this size."""
    side = smallest_side(network, max(1, min(shape)))
    least = 2 * network.coarsest_stride
    if not fixed_size and min(shape) <= least:
        raise ValueError(f"a network for images of any size is exported at more than {least} pixels, got {shape}")
    return max(side, file.least_side(network))
