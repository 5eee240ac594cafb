"""Networks as files of torch.export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ...utils.torch_versions import any_length
from .network import ExportableNetwork


class TorchFile:
    """A .pt2 file, which PyTorch loads without the toolbox: ``torch.export.load(file).module()``.

    Its images have two cells of the coarsest map in a row or more: torch.export keeps shapes apart that are 1.
    """

    suffix = ".pt2"

    def least_side(self, network: ExportableNetwork) -> int:
        """Height and width, in pixels, from which the file takes images that the network takes."""
        return 2 * network.coarsest_stride

    @torch.no_grad()
    def write(
        self, network: ExportableNetwork, path: Path, example: Tensor, fixed_size: bool, metadata: dict[str, str]
    ) -> None:
        """Write the network; arguments as of :meth:`OnnxFile.write`, ``metadata`` becomes ``metadata.json`` inside."""
        least = self.least_side(network)
        shapes = None if fixed_size else ({0: any_length(), 2: any_length(least), 3: any_length(least)},)
        program = torch.export.export(network, (example,), dynamic_shapes=shapes)
        with path.open("wb") as file:
            torch.export.save(program, file, extra_files={"metadata.json": json.dumps(metadata)})

    def runner(self, path: Path) -> Callable[[Tensor], Tensor]:
        """A function that computes logits (N, num_classes, H, W) of images (N, C, H, W) by the file."""
        with path.open("rb") as file:
            module = torch.export.load(file).module()
        return torch.no_grad()(module)
