from .fcn_vgg import FCNVGG

__all__ = ["FCNVGG"]
