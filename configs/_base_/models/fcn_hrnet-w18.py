# HRNet-W18 small with its branches at strides 4, 8, 16 and 32 scored directly, for ImageNet weights (RGB).
_base_ = './fcn_r50.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='HRNet',
        norm_eval=True,
        extra=dict(
            stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(2,), num_channels=(64,)),
            stage2=dict(num_modules=1, num_branches=2, block='BASIC', num_blocks=(2, 2), num_channels=(18, 36)),
            stage3=dict(num_modules=3, num_branches=3, block='BASIC', num_blocks=(2, 2, 2), num_channels=(18, 36, 72)),
            stage4=dict(
                num_modules=2, num_branches=4, block='BASIC', num_blocks=(2, 2, 2, 2), num_channels=(18, 36, 72, 144))),
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://msra/hrnetv2_w18_small')),
    decode_head=dict(type='FCNSkipHead'))
