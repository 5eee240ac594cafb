# A quarter of VGG16's channels, with BatchNorm, padding=1 and a same-padded 3x3 fc6: trains from scratch on a CPU.
_base_ = './fcn_vgg16.py'
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[64.0, 64.0, 64.0])
model = dict(
    data_preprocessor=data_preprocessor,
    backbone=dict(padding=1, width=0.25, norm_cfg=dict(type='BN'), init_cfg=None),
    neck=dict(in_channels=128, channels=256, fc6_kernel=3, fc6_padding='same', dropout_ratio=0., init_cfg=None),
    decode_head=dict(num_classes=6))
