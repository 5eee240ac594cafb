# FCN-16s from FCN-32s, PAMI recipe with rate 1e-12; train list: SBD train; val list: seg11valid.
_base_ = './fcn32s_vgg16_sbd.py'
earlier_stage = "{{ fileDirname }}/fcn32s_vgg16_sbd.py"
model = dict(decode_head=dict(type='FCN16sHead'))
optim_wrapper = dict(optimizer=dict(lr=1e-12))
