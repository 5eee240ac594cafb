from .iteration_seed_hook import IterationSeedHook
from .weight_handover_hook import WeightHandoverHook

__all__ = ["IterationSeedHook", "WeightHandoverHook"]
