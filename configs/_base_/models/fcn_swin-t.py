# Swin-T with its maps at strides 8, 16 and 32 scored directly, for the toolbox's ImageNet weights (RGB).
_base_ = './fcn_r50.py'
pretrained = 'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/swin/swin_tiny_patch4_window7_224_20220317-1cdeb081.pth'
model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        out_indices=(1, 2, 3),
        drop_path_rate=0.3,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    decode_head=dict(border='replicate'))  # its cells end with the image, where zeros leave half of the scores
del pretrained
