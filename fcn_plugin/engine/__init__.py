from . import hooks
from .bf16_optim_wrapper import BF16OptimWrapper
from .staged_runner import StagedRunner

__all__ = ["BF16OptimWrapper", "StagedRunner", "hooks"]
