# VGG16 with BatchNorm, padding=100 and the classifier's layers as convolutions, for torchvision's weights (RGB).
_base_ = './fcn_vgg16.py'
pretrained = 'https://download.pytorch.org/models/vgg16_bn-6c64b313.pth'
data_preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
model = dict(
    data_preprocessor=data_preprocessor,
    backbone=dict(norm_cfg=dict(type='BN'), norm_eval=True, init_cfg=dict(checkpoint=pretrained)),
    neck=dict(init_cfg=dict(checkpoint=pretrained)),
    decode_head=dict(type='FCN8sHead'))
del pretrained
