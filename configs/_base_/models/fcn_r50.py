# ResNet-50 with its maps at strides 8, 16 and 32 scored directly, for the toolbox's ImageNet weights (RGB).
data_preprocessor = dict(  # by this name for the toolbox's tools
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size_divisor=1,  # a batch is padded to its largest image
    pad_val=0,
    seg_pad_val=255)
model = dict(
    type='AlignedEncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='ResNetV1c',
        depth=50,
        out_indices=(1, 2, 3),
        norm_eval=True,  # one image at a time: BatchNorm keeps the statistics of ImageNet, and trains its scales
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet50_v1c')),
    decode_head=dict(type='FCN8sHead', num_classes=21, loss_decode=dict(type='PixelCrossEntropyLoss')))
