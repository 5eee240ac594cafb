from . import backbones, data_preprocessors, decode_heads, layers, losses, necks, samplers, segmentors

__all__ = ["backbones", "data_preprocessors", "decode_heads", "layers", "losses", "necks", "samplers", "segmentors"]
