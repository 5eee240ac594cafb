from .broadcast_buffers_hook import BroadcastBuffersHook
from .checkpoint_check_hook import CheckpointCheckHook
from .class_metrics_hook import ClassMetricsHook
from .compile_hook import CompileHook
from .finite_check_hook import FiniteCheckHook
from .iteration_seed_hook import IterationSeedHook
from .paint_hook import PaintHook
from .resume_hook import ResumeHook
from .stop_hook import StopHook
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = [
    "BroadcastBuffersHook",
    "CheckpointCheckHook",
    "ClassMetricsHook",
    "CompileHook",
    "FiniteCheckHook",
    "IterationSeedHook",
    "PaintHook",
    "ResumeHook",
    "StopHook",
    "WholeCheckpointHook",
]
