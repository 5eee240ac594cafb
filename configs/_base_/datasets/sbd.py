# SBD train (8,498 images), validated on seg11valid (736): the lists of the published figures.
# SBD's images are part of VOC2012's JPEGImages; its labels, as PNG, lie beside VOC's.
_base_ = './voc2012.py'
data_help = 'Run `fcn prepare voc data/VOCdevkit` (3.4 GB to download).'
train_dataloader = dict(
    dataset=dict(
        type='SBDDataset',
        ann_file='ImageSets/Segmentation/sbd_train.txt',
        data_prefix=dict(seg_map_path='SegmentationClassSBD')))
val_dataloader = dict(dataset=dict(ann_file='ImageSets/Segmentation/seg11valid.txt'))
test_dataloader = val_dataloader
