# ConvNeXt-T of MMPretrain with its maps at strides 8, 16 and 32 scored directly, for its ImageNet weights (RGB).
_base_ = './fcn_r50.py'
pretrained = 'https://mmassets.onedl.ai/mmclassification/v0/convnext/downstream/convnext-tiny_3rdparty_32xb128-noema_in1k_20220301-795e9634.pth'
model = dict(
    size_divisor=32,  # its convolutions drop what does not fill a cell
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ConvNeXt',
        arch='tiny',
        out_indices=[1, 2, 3],
        drop_path_rate=0.4,
        layer_scale_init_value=1.0,
        gap_before_final_norm=False,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')))
del pretrained
