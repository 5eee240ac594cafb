# FCN-16s from FCN-32s, AdamW as for FCN-32s but 1k iterations; train list: shapes train (1,000); val list: shapes val (80).
_base_ = './fcn32s_vgg16_shapes.py'
earlier_stage = "{{ fileDirname }}/fcn32s_vgg16_shapes.py"
model = dict(decode_head=dict(type='FCN16sHead'))
train_cfg = dict(max_iters=1000)
