from .fcn_skip_head import FCN8sHead, FCN16sHead, FCN32sHead, FCNSkipHead

__all__ = ["FCN8sHead", "FCN16sHead", "FCN32sHead", "FCNSkipHead"]
