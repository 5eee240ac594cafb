# FCN-8s on ConvNeXt-T (pip install "fcn_plugin[mmpretrain]") at once, AdamW (1e-5 and 5e-5), batch 1, 1,200 iterations, mirror; train list: CamVid train; val list: CamVid val.
_base_ = [
    '_base_/models/fcn_convnext-t.py', '_base_/datasets/camvid.py', '_base_/schedules/adamw_camvid.py',
    '_base_/default_runtime.py'
]
custom_imports = dict(imports=['fcn_plugin', 'mmpretrain.models'], allow_failed_imports=False)
model = dict(decode_head=dict(num_classes=11))
train_cfg = dict(max_iters=1200, val_interval=600)
default_hooks = dict(checkpoint=dict(interval=300))
