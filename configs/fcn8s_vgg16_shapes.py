# FCN-8s from FCN-16s, AdamW as for FCN-32s but 2k iterations; train list: shapes train (1,000); val list: shapes val (80).
_base_ = './fcn32s_vgg16_shapes.py'
earlier_stage = "{{ fileDirname }}/fcn16s_vgg16_shapes.py"
model = dict(decode_head=dict(type='FCN8sHead'))
train_cfg = dict(max_iters=2000, val_interval=2000)
