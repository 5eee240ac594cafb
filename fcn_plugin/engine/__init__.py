from . import hooks
from .bf16_optim_wrapper import BF16OptimWrapper
from .staged_runner import StagedRunner
from .tta import MeanTTAModel

__all__ = ["MeanTTAModel", "BF16OptimWrapper", "StagedRunner", "hooks"]
