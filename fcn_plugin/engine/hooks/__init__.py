from .broadcast_buffers_hook import BroadcastBuffersHook
from .checkpoint_check_hook import CheckpointCheckHook
from .class_metrics_hook import ClassMetricsHook
from .compile_hook import CompileHook
from .iteration_seed_hook import IterationSeedHook
from .resume_hook import ResumeHook

__all__ = [
    "BroadcastBuffersHook",
    "CheckpointCheckHook",
    "ClassMetricsHook",
    "CompileHook",
    "IterationSeedHook",
    "ResumeHook",
]
