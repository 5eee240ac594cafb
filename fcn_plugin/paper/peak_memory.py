"""The most memory that a computation needs at a time, as its comparisons count it."""

from ..utils.peak_memory import PeakMemory

__all__ = ["PeakMemory"]
