# FCN-4s on HRNet-W18 small at once, AdamW (1e-5 and 5e-5), batch 1, 1,200 iterations, mirror; train list: CamVid train; val list: CamVid val.
_base_ = [
    '_base_/models/fcn_hrnet-w18.py', '_base_/datasets/camvid.py', '_base_/schedules/adamw_camvid.py',
    '_base_/default_runtime.py'
]
model = dict(decode_head=dict(num_classes=11))
train_cfg = dict(max_iters=1200, val_interval=600)
default_hooks = dict(checkpoint=dict(interval=300))
