# FCN-32s, patchwise: half of the 32-pixel cells of twice as many images, CVPR recipe; train list: SBD train; val list: seg11valid.
_base_ = './fcn32s_vgg16_cvpr_sbd.py'
model = dict(decode_head=dict(sampler=dict(type='PatchPixelSampler', keep_prob=0.5, cell=32)))
train_dataloader = dict(batch_size=40)
