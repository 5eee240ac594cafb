"""Networks as ONNX files."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from .network import ExportableNetwork

#: The first opset that PyTorch's exporter writes without converting down.
FIRST_OPSET = 18
#: Bytes above which ONNX keeps weights beside the file; a little room is left for the graph.
MOST_BYTES = 2**31 - 2**24


class OnnxFile:
    """A single file with graph and weights, for ONNX Runtime and what else reads ONNX.

    Args:
        opset (int, optional): version of the operators; by default the one that PyTorch chooses.

    Raises:
        ValueError: if a package is missing, or there is no such opset.
    """

    suffix = ".onnx"

    def __init__(self, opset: int | None = None) -> None:
        missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
        if missing:
            raise ValueError(f'ONNX needs {" and ".join(missing)}: run `pip install "fcn_plugin[export]"`')
        if opset is not None:
            import onnx

            last = onnx.defs.onnx_opset_version()
            if not FIRST_OPSET <= opset <= last:
                raise ValueError(f"the opset must be {FIRST_OPSET} to {last}, got {opset}")
        self.opset = opset

    def least_side(self, network: ExportableNetwork) -> int:
        """Height and width, in pixels, from which the file takes images that the network takes."""
        return 1

    @torch.no_grad()
    def write(
        self, network: ExportableNetwork, path: Path, example: Tensor, fixed_size: bool, metadata: dict[str, str]
    ) -> None:
        """Write the network.

        Args:
            network (ExportableNetwork): the network.
            path (Path): file to write.
            example (Tensor): images (N, C, H, W) to run the network on; N > 1, unless the size is fixed.
            fixed_size (bool): whether the file takes images of the example's shape alone.
            metadata (dict[str, str]): becomes the file's ``metadata_props``.

        Raises:
            ValueError: if the network is too large for a single file, or the exporter does not make the opset.
        """
        size = sum(p.numel() * p.element_size() for p in network.state_dict().values())
        if size > MOST_BYTES:
            raise ValueError(f"a single ONNX file holds less than 2 GiB, but the weights take {size / 2**30:.1f} GiB")
        names = {0: "batch", 2: "height", 3: "width"}
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["image"],
            output_names=["logits"],
            opset_version=self.opset,
            dynamo=True,
            dynamic_shapes=None if fixed_size else (names,),
            external_data=False,
            verbose=False,
        )
        model = program.model
        made = model.opset_imports[""]
        if self.opset not in (None, made):
            raise ValueError(f"PyTorch could not convert the network to opset {self.opset}, only to {made}: ask for it")
        if not fixed_size:
            # the exporter names the size of the logits by a formula, which comes to that of the image
            for axis, name in names.items():
                model.graph.outputs[0].shape[axis] = name
        model.metadata_props.update(metadata)
        program.save(path, external_data=False)

    def runner(self, path: Path) -> Callable[[Tensor], Tensor]:
        """A function that computes logits (N, num_classes, H, W) of images (N, C, H, W) by the file."""
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return lambda image: torch.from_numpy(session.run(["logits"], {"image": image.numpy()})[0])
