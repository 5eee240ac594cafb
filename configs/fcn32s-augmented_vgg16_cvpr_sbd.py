# FCN-32s, images mirrored and translated by up to 32 pixels, CVPR recipe; train list: SBD train; val list: seg11valid.
_base_ = './fcn32s_vgg16_cvpr_sbd.py'
*load, pack = _base_.train_pipeline
train_pipeline = [*load, dict(type='RandomFlip', prob=0.5), dict(type='RandomTranslate', max_shift=32), pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
del load, pack
