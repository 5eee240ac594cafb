# FCN-8s from FCN-16s, CVPR recipe with rate 1e-8; train list: SBD train; val list: seg11valid.
_base_ = './fcn32s_vgg16_cvpr_sbd.py'
earlier_stage = "{{ fileDirname }}/fcn16s_vgg16_cvpr_sbd.py"
model = dict(decode_head=dict(type='FCN8sHead'))
optim_wrapper = dict(optimizer=dict(lr=1e-8))
