# FCN-8s trained at once with scaled skips, PAMI recipe with rate 1e-10; train list: VOC2012 train; val list: VOC2012 val.
_base_ = './fcn32s_vgg16_voc.py'
model = dict(decode_head=dict(type='FCN8sHead', skip_scales=[1e-4, 1e-2]))
