# FCN-32s-fixed, CVPR recipe: only score_fr learns, on the classifier's fc7; train list: SBD train; val list: seg11valid.
_base_ = './fcn32s_vgg16_cvpr_sbd.py'
model = dict(backbone=dict(frozen_stages=5), neck=dict(frozen=True))
