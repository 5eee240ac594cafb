# PASCAL VOC 2012 as downloaded: train (1,464 images) and val (1,449), whole images at native size, one at a time.
data_help = 'Run `fcn prepare voc data/VOCdevkit --no-sbd` (2 GB to download).'
data_root = 'data/VOCdevkit/VOC2012'
load = [dict(type='LoadImageFromFile'), dict(type='LoadLabels', palette='PascalVOCDataset')]
train_pipeline = [*load, dict(type='PackSegInputs')]
test_pipeline = train_pipeline
dataset = dict(
    type='PascalVOCDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    pipeline=train_pipeline)
train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(ann_file='ImageSets/Segmentation/train.txt', **dataset))
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='ImageSets/Segmentation/val.txt', **dataset))
test_dataloader = val_dataloader
del load, dataset
