from .caffenet import CaffeNet
from .fcn_vgg import FCNVGG

__all__ = ["FCNVGG", "CaffeNet"]
