"""Prediction of pictures and videos with a trained model."""

from .predictor import Predictor
from .run import Inference, Step
from .sources import Source, check_order, find_sources
from .writer import PredictionWriter

__all__ = ["Inference", "PredictionWriter", "Predictor", "Source", "Step", "check_order", "find_sources"]
