# FCN-GoogLeNet, CVPR recipe (averaged loss, SGD 5e-5, momentum 0.9, batch 20); train list: SBD train; val list: seg11valid.
_base_ = [
    '_base_/models/fcn_googlenet.py', '_base_/datasets/sbd.py', '_base_/schedules/cvpr_100k.py',
    '_base_/default_runtime.py'
]
train_dataloader = dict(batch_size=20)  # of all processes together: on 4, give each batch_size=5
optim_wrapper = dict(optimizer=dict(lr=5e-5))
