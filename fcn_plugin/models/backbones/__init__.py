from .caffenet import CaffeNet
from .fcn_vgg import FCNVGG
from .googlenet import GoogLeNet

__all__ = ["FCNVGG", "CaffeNet", "GoogLeNet"]
