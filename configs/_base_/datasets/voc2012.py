# PASCAL VOC 2012 as downloaded: train (1,464 images) and val (1,449), whole images at native size, one at a time.
data_help = ('Download VOCtrainval_11-May-2012.tar from http://host.robots.ox.ac.uk/pascal/VOC/voc2012/ and run'
             ' `mkdir -p data && tar xf VOCtrainval_11-May-2012.tar -C data`.')
data_root = 'data/VOCdevkit/VOC2012'
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
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
