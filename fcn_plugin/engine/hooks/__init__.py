from .checkpoint_check_hook import CheckpointCheckHook
from .class_metrics_hook import ClassMetricsHook
from .compile_hook import CompileHook
from .iteration_seed_hook import IterationSeedHook
from .paint_hook import PaintHook

__all__ = ["ClassMetricsHook", "CompileHook", "IterationSeedHook", "CheckpointCheckHook", "PaintHook"]
