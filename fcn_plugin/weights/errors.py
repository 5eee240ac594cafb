"""What is wrong with weights."""


class WeightsError(ValueError):
    """Weights that cannot be read, or do not fit the model."""
