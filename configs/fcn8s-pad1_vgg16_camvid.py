# FCN-8s from FCN-16s, padding=1 and a same-padded fc6, AdamW as for FCN-32s but 400 iterations; train list: CamVid train; val list: CamVid val.
_base_ = './fcn32s-pad1_vgg16_camvid.py'
earlier_stage = "{{ fileDirname }}/fcn16s-pad1_vgg16_camvid.py"
model = dict(decode_head=dict(type='FCN8sHead'))
train_cfg = dict(max_iters=400)
