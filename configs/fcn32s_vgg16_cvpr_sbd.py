# FCN-32s, CVPR recipe (averaged loss, SGD 1e-4, momentum 0.9, batch 20); train list: SBD train; val list: seg11valid.
_base_ = [
    '_base_/models/fcn_vgg16.py', '_base_/datasets/sbd.py', '_base_/schedules/cvpr_100k.py',
    '_base_/default_runtime.py'
]
model = dict(decode_head=dict(learnable_upsampling=True))  # that between the skips; the last one is fixed
train_dataloader = dict(batch_size=20)  # of all processes together: on 4, give each batch_size=5
