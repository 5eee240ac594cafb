# FCN-16s from FCN-32s, CVPR recipe with rate 1e-6; train list: SBD train; val list: seg11valid.
_base_ = './fcn32s_vgg16_cvpr_sbd.py'
earlier_stage = "{{ fileDirname }}/fcn32s_vgg16_cvpr_sbd.py"
model = dict(decode_head=dict(type='FCN16sHead'))
optim_wrapper = dict(optimizer=dict(lr=1e-6))
