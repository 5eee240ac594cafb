# VGG16 with padding=100 and the classifier's layers as convolutions, for Caffe's ImageNet weights (BGR, 0..255).
pretrained = 'https://web.eecs.umich.edu/~justincj/models/vgg16-00b39a1b.pth'
backbone = dict(type='FCNVGG', depth=16, padding=100, init_cfg=dict(type='Pretrained', checkpoint=pretrained))
neck = dict(
    type='FCConvNeck', in_channels=512, channels=4096, init_cfg=dict(type='Pretrained', checkpoint=pretrained))
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[104.00699, 116.66877, 122.67892],
        std=[1.0, 1.0, 1.0],
        bgr_to_rgb=False,
        size_divisor=1,  # a batch is padded to its largest image
        pad_val=0,
        seg_pad_val=255),
    backbone=backbone,
    neck=neck,
    decode_head=dict(
        type='FCN32sHead',
        in_channels=[4096],
        num_classes=21,
        geometry=dict(backbone=backbone, neck=neck),
        loss_decode=dict(type='PixelCrossEntropyLoss')),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
del backbone, neck, pretrained
