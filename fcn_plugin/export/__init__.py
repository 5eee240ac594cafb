"""Networks as files that run without the toolbox."""

from .check import CheckError, Difference, check_sizes, compare
from .exporting import Exported, export_network
from .metadata import network_metadata
from .network import ExportableNetwork, load_segmentor, prepare
from .onnx_file import OnnxFile
from .torch_file import TorchFile

__all__ = [
    "CheckError",
    "Difference",
    "ExportableNetwork",
    "Exported",
    "OnnxFile",
    "TorchFile",
    "check_sizes",
    "compare",
    "export_network",
    "load_segmentor",
    "network_metadata",
    "prepare",
]
