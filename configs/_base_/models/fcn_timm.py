# Skip heads on a network of timm, EfficientNet-Lite0 unless another is named; it starts at random unless init_cfg names its weights.
_base_ = './fcn_r50.py'
model = dict(
    size_divisor=32,  # where its cells lie, and whether it takes an image at all, may depend on the size
    channels_last=True,
    backbone=dict(
        _delete_=True, type='TIMMBackbone', model_name='tf_efficientnet_lite0', out_indices=(2, 3, 4), pretrained=False),
    decode_head=dict(type='FCNSkipHead'))
