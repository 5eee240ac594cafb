# FCN-32s, background weighed down, CVPR recipe; train list: SBD train; val list: seg11valid.
# About 3/4 of the pixels are background: with a third of the weight, it counts as much as all objects together.
# By sampling instead: sampler=dict(type='ClassPixelSampler', keep_prob=[1 / 3] + [1.] * 20) in the decode_head.
_base_ = './fcn32s_vgg16_cvpr_sbd.py'
model = dict(decode_head=dict(loss_decode=dict(class_weight=[1 / 3] + [1.] * 20)))
