# FCN-32s with padding=1 and a same-padded fc6 (less compute), AdamW, batch 1, 500 iterations, mirror; train list: CamVid train; val list: CamVid val.
_base_ = './fcn32s_vgg16_camvid.py'
model = dict(backbone=dict(padding=1), neck=dict(fc6_padding='same'))
