# CaffeNet, an AlexNet, in place of VGG16, from Caffe's ImageNet weights (BGR, 0..255).
_base_ = './fcn_vgg16.py'
pretrained = 'http://dl.caffe.berkeleyvision.org/bvlc_reference_caffenet.caffemodel'
model = dict(
    backbone=dict(
        _delete_=True, type='CaffeNet', padding=100, init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    neck=dict(in_channels=256, fc6_kernel=6, init_cfg=dict(checkpoint=pretrained)))
del pretrained
