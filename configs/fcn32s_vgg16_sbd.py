# FCN-32s, PAMI recipe (summed loss, SGD 1e-10, momentum 0.99, batch 1); train list: SBD train; val list: seg11valid.
_base_ = [
    '_base_/models/fcn_vgg16.py', '_base_/datasets/sbd.py', '_base_/schedules/pami_100k.py',
    '_base_/default_runtime.py'
]
model = dict(decode_head=dict(loss_decode=dict(reduction='sum')))
