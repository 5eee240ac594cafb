from .compile_hook import CompileHook
from .iteration_seed_hook import IterationSeedHook
from .weight_handover_hook import WeightHandoverHook

__all__ = ["CompileHook", "IterationSeedHook", "WeightHandoverHook"]
