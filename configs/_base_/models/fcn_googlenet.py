# GoogLeNet in place of VGG16, from Caffe's ImageNet weights (BGR, 0..255); there is no fc6: scores on inception_5b.
_base_ = './fcn_vgg16.py'
pretrained = 'http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel'
model = dict(
    backbone=dict(
        _delete_=True, type='GoogLeNet', padding=100, init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    neck=None)
del pretrained
