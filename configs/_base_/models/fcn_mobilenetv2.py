# MobileNetV2 with its last maps at strides 8, 16 and 32 scored directly, for the toolbox's ImageNet weights (RGB).
_base_ = './fcn_r50.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        out_indices=(2, 4, 6),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='mmcls://mobilenet_v2')))
