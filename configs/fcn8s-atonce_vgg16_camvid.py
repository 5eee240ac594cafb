# FCN-8s trained at once with scaled skips, AdamW as for FCN-32s but 1,200 iterations (as many as the three stages); train list: CamVid train; val list: CamVid val.
_base_ = './fcn32s_vgg16_camvid.py'
model = dict(decode_head=dict(type='FCN8sHead', skip_scales=[1e-4, 1e-2]))
train_cfg = dict(max_iters=1200, val_interval=600)
