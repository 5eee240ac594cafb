# VGG16 with padding=100 and the classifier's layers as convolutions, for Caffe's ImageNet weights (BGR, 0..255).
pretrained = 'https://web.eecs.umich.edu/~justincj/models/vgg16-00b39a1b.pth'
data_preprocessor = dict(  # by this name for the toolbox's tools
    type='SegDataPreProcessor',
    mean=[104.00699, 116.66877, 122.67892],
    std=[1.0, 1.0, 1.0],
    bgr_to_rgb=False,
    size_divisor=1,  # a batch is padded to its largest image
    pad_val=0,
    seg_pad_val=255)
model = dict(
    type='AlignedEncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(type='FCNVGG', depth=16, padding=100, init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    neck=dict(
        type='FCConvNeck', in_channels=512, channels=4096, init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    decode_head=dict(type='FCN32sHead', num_classes=21, loss_decode=dict(type='PixelCrossEntropyLoss')))
del pretrained
