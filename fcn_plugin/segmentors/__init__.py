from .a_trous import dense_form, layers_in_order
from .aligned_encoder_decoder import AlignedEncoderDecoder
from .dense_encoder_decoder import DenseEncoderDecoder
from .shift_and_stitch import shift_and_stitch

__all__ = ["AlignedEncoderDecoder", "DenseEncoderDecoder", "dense_form", "layers_in_order", "shift_and_stitch"]
