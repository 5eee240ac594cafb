from .class_metrics_hook import ClassMetricsHook
from .compile_hook import CompileHook
from .iteration_seed_hook import IterationSeedHook
from .weight_handover_hook import WeightHandoverHook

__all__ = ["ClassMetricsHook", "CompileHook", "IterationSeedHook", "WeightHandoverHook"]
