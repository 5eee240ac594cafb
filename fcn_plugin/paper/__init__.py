"""What the paper compares fully convolutional networks with."""

from .dense_encoder_decoder import DenseEncoderDecoder

__all__ = ["DenseEncoderDecoder"]
