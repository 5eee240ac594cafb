# FCN-8s trained at once with scaled skips, PAMI recipe with rate 1e-10; train list: SBD train; val list: seg11valid.
_base_ = './fcn32s_vgg16_sbd.py'
model = dict(decode_head=dict(type='FCN8sHead', skip_scales=[1e-4, 1e-2]))
