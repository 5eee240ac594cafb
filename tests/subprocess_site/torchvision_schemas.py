"""Lets a CUDA build of torchvision be imported beside a CPU build of torch, as in a test environment.

``import torchvision`` registers fake kernels for operators that its C++ library declares, and that library cannot be
loaded without CUDA. The toolbox imports torchvision whenever it is installed, though nothing here calls it.
"""

from importlib.util import find_spec
from pathlib import Path

import torch

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def define_schemas() -> torch.library.Library | None:
    """Declare the operators if the two builds do not go together; they stay declared as long as the result lives."""
    spec = find_spec("torchvision")
    if spec is None or torch.version.cuda or "+cu" not in Path(spec.origin).with_name("version.py").read_text():
        return None
    library = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    return library


LIBRARY = define_schemas()
