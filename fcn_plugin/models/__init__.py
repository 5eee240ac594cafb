from . import backbones, decode_heads, layers, losses, necks, samplers, segmentors

__all__ = ["backbones", "decode_heads", "layers", "losses", "necks", "samplers", "segmentors"]
