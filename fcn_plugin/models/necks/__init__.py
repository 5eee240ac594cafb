from .fc_conv_neck import FCConvNeck

__all__ = ["FCConvNeck"]
