# FCN-32s, PAMI recipe (summed loss, SGD 1e-10, momentum 0.99, batch 1); train list: VOC2012 train; val list: VOC2012 val.
_base_ = [
    '_base_/models/fcn_vgg16.py', '_base_/datasets/voc2012.py', '_base_/schedules/pami_100k.py',
    '_base_/default_runtime.py'
]
model = dict(decode_head=dict(loss_decode=dict(reduction='sum')))
