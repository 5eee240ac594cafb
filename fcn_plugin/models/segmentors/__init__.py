from .aligned_encoder_decoder import AlignedEncoderDecoder

__all__ = ["AlignedEncoderDecoder"]
