# FCN-16s from FCN-32s, AdamW as for FCN-32s but 300 iterations; train list: CamVid train; val list: CamVid val.
_base_ = './fcn32s_vgg16_camvid.py'
earlier_stage = "{{ fileDirname }}/fcn32s_vgg16_camvid.py"
model = dict(decode_head=dict(type='FCN16sHead'))
train_cfg = dict(max_iters=300)
