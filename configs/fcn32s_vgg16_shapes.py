# FCN-32s, narrow, AdamW (1e-3), batch 4, 1.4k iterations, mirror; train list: shapes train (1,000); val list: shapes val (80).
_base_ = [
    '_base_/models/fcn_vgg16_shapes.py', '_base_/datasets/shapes.py', '_base_/schedules/adamw_shapes.py',
    '_base_/default_runtime.py'
]
default_hooks = dict(checkpoint=dict(interval=200))
