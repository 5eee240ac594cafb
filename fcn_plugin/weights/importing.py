"""Importing published weights: any known file becomes a checkpoint with canonical names that says what it expects."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..utils.files import atomic_write, check_writable
from ..utils.text import summarize
from ..version import __version__
from .caffemodel import CaffeModel, read_caffemodel
from .checkpoint import WeightsError, read_checkpoint
from .keras_vgg import HDF5_SIGNATURE, KerasVGG, read_keras
from .layer_names import architecture, canonical, is_canonical
from .mmpretrain_vgg import MMPretrainVGG
from .preprocessing import PREPROCESSINGS, describe, named_preprocessing, preprocessing_of
from .pytorch_fcn import PyTorchFCN
from .safetensors_file import SUFFIX, is_safetensors, write_safetensors
from .source import WeightSource
from .torchvision_vgg import TorchvisionVGG

#: Sources whose files are PyTorch's, in the order in which they are tried.
TORCH_SOURCES: tuple[WeightSource, ...] = (TorchvisionVGG(), MMPretrainVGG(), PyTorchFCN())
#: First bytes of a caffemodel: a name, old layers, or input names and new layers.
CAFFE_TAGS = (b"\x0a", b"\x12", b"\x1a", b"\xa2")
#: What DistributedDataParallel and ``torch.compile`` put before names, the latter also before those of a part.
WRAPPERS = re.compile(r"^((module|_orig_mod)\.)+|(?<=\.)_orig_mod\.")
#: What a checkpoint of this package says of itself, and how.
OWN_META = dict(
    source=Mapping,
    architecture=str,
    preprocessing=Mapping,
    skip_scales=Sequence,
    precision=str,
    dataset_meta=Mapping,
    fcn_plugin_version=str,
)


def import_weights(path: str | os.PathLike) -> dict:
    """Read weights of any known source.

    Known are VGG classifiers of torchvision, mmpretrain, Keras and Caffe (also converted to torchvision's layout),
    CaffeNet, GoogLeNet, the reference's FCN releases, pytorch-fcn's models, and the checkpoints of this package. The
    format is recognised by the file's content.

    Returns:
        dict: ``state_dict`` with canonical names, and ``meta`` with ``source`` (format, file, sha256),
        ``architecture``, and, where they are known, ``preprocessing`` and ``skip_scales``.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: if the file is damaged, unsafe or of no known source.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"there is no weight file {path}")
    checkpoint, sources = _read(path)
    tensors = checkpoint["state_dict"]
    if is_own(tensors):
        return dict(state_dict=tensors, meta=_own_meta(checkpoint, path))
    source = recognise(tensors, str(path), sources)
    try:
        state_dict = canonical(source.reference_names(tensors))
        name = architecture(state_dict)
    except WeightsError as error:
        raise WeightsError(f"{path}, recognised as {source.name}: {error}") from error
    checksums = file_checksums(path)
    meta = dict(
        source=dict(format=source.name, file=path.name, sha256=checksums["sha256"]),
        architecture=name,
        fcn_plugin_version=__version__,
        **source.meta(tensors, checksums),
    )
    if checkpoint.get("arch") == "FCN8sAtOnce":  # as pytorch-fcn's trainer saves it
        meta["skip_scales"] = [1e-4, 1e-2]
    return dict(state_dict=state_dict, meta=meta)


def _read(path: Path) -> tuple[dict, Sequence[WeightSource]]:
    """A file's contents, tensors as ``state_dict``, and the sources that have such files."""
    with path.open("rb") as file:
        start = file.read(64)
    tensor_file = is_safetensors(path)
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise WeightsError(f"{path} is a web page, not weights: download the file itself")
    if start.startswith(HDF5_SIGNATURE):
        return dict(state_dict=read_keras(path)), [KerasVGG()]
    if not start and not tensor_file:
        raise WeightsError(f"{path} is empty: copy or download the file again")
    if tensor_file or start.startswith((b"PK", b"\x80")):
        checkpoint = read_checkpoint(path)
        return {**checkpoint, "state_dict": without_wrappers(checkpoint["state_dict"])}, TORCH_SOURCES
    if start.startswith(CAFFE_TAGS):
        return dict(state_dict=read_caffemodel(path)), [CaffeModel()]
    raise WeightsError(
        f"{path} starts with {start[:8]!r}: expected a PyTorch checkpoint, a .safetensors, a Keras .h5 or a .caffemodel"
    )


def without_wrappers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights by the names that they have without DistributedDataParallel and ``torch.compile``."""
    return {WRAPPERS.sub("", key): value for key, value in tensors.items()}


def recognise(
    tensors: Mapping[str, Tensor], where: str, sources: Sequence[WeightSource] = TORCH_SOURCES
) -> WeightSource:
    """The source of weights, by their names.

    Raises:
        WeightsError: if it is none of the given ones, by default those whose files are PyTorch's.
    """
    for source in sources:
        if source.recognises(tensors):
            return source
    raise WeightsError(
        f"{where} holds {summarize(list(tensors))}:"
        f" expected the names of {' or '.join(source.name for source in sources)}"
    )


def canonical_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a PyTorch model under canonical names, whatever their source.

    Raises:
        WeightsError: as :func:`recognise` and :func:`canonical`.
    """
    return canonical(recognise(tensors, "the state dict").reference_names(tensors))


def is_own(tensors: Mapping[str, Tensor]) -> bool:
    """Whether weights have canonical names, or those of a segmentor of the toolbox with another backbone."""
    segmentor = ("backbone.", "neck.", "decode_head.", "auxiliary_head.")
    return all(map(is_canonical, tensors)) or (
        all(key.startswith(segmentor) for key in tensors) and any(key.startswith("decode_head.") for key in tensors)
    )


def _own_meta(checkpoint: Mapping, path: Path) -> dict:
    """What a checkpoint of this package says of itself, without the log and the config of its training."""
    meta = {key: value for key, value in checkpoint.get("meta", {}).items() if key in OWN_META}
    for key, value in meta.items():
        try:
            if not isinstance(value, OWN_META[key]):
                raise TypeError(f"expected a {OWN_META[key].__name__}")
            if key == "preprocessing":
                preprocessing_of(value)
        except (TypeError, ValueError) as error:
            raise WeightsError(f"{path} is damaged: meta[{key!r}] is {value!r} ({error})") from error
    return meta


def file_checksums(path: Path) -> dict[str, str]:
    """The SHA-256 and the MD5 of a file, in hexadecimal digits."""
    digests = dict(sha256=hashlib.sha256(), md5=hashlib.md5(usedforsecurity=False))
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            for digest in digests.values():
                digest.update(chunk)
    return {name: digest.hexdigest() for name, digest in digests.items()}


def set_preprocessing(checkpoint: dict, name: str | None, where: str) -> None:
    """Note which input imported weights expect, where their file does not tell.

    Args:
        checkpoint (dict): as from :func:`import_weights`; its ``meta`` is changed.
        name (str, optional): ``caffe``, ``torchvision`` or ``rgb255``.
        where (str): what to call the weights in the error.

    Raises:
        ValueError: if there is no preprocessing of this name.
        WeightsError: if it is not known, or known to be another one.
    """
    known, given = checkpoint["meta"].get("preprocessing"), named_preprocessing(name)
    if known is None and given is None:
        choices = "; ".join(f"{key} ({describe(value)})" for key, value in PREPROCESSINGS.items())
        raise WeightsError(f"{where} does not tell which input it expects: give --preprocessing, one of {choices}")
    if known is not None and given is not None and known != given:
        raise WeightsError(f"{where} is known to expect {describe(known)}: leave out --preprocessing {name}")
    checkpoint["meta"]["preprocessing"] = dict(known or given)


def cast_weights(state_dict: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Weights in a shorter number format, for files of half the size; networks load them as float32.

    Biases and the vectors of norms stay as they are: they take no space.

    Args:
        state_dict (Mapping[str, Tensor]): weights by name.
        dtype (torch.dtype): such as ``torch.bfloat16``, which keeps 8 bits of the mantissa and float32's range.

    Raises:
        WeightsError: if a value is beyond the range of the format.
    """
    cast = {
        name: value.to(dtype) if value.is_floating_point() and value.dim() > 1 else value
        for name, value in state_dict.items()
    }
    lost = [name for name, value in cast.items() if not value.isfinite().all() and state_dict[name].isfinite().all()]
    if lost:
        raise WeightsError(f"{summarize(lost)} has values beyond the range of {dtype}: take bfloat16")
    return cast


def save_weights(checkpoint: dict, path: str | os.PathLike) -> None:
    """Save a checkpoint as a whole or not at all; as safetensors if the name ends so.

    Raises:
        FileExistsError: if there is such a file already.
        FileNotFoundError: if its directory does not exist.
        WeightsError: if safetensors is not installed.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists already: give another name, or remove it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {path.parent} to write {path.name} to")
    check_writable(path.parent)
    with atomic_write(path) as partial:
        if path.suffix == SUFFIX:
            write_safetensors(checkpoint, partial)
        else:
            torch.save(checkpoint, partial)
