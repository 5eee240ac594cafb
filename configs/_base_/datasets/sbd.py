# SBD train (8,498 images), validated on seg11valid (736): the lists of the published figures.
# SBD's images are part of VOC2012's JPEGImages; its labels, as PNG, lie beside VOC's.
_base_ = './voc2012.py'
data_help = ('Unpack VOC2012 to data/VOCdevkit, write the labels of SBD (benchmark.tgz of'
             ' http://home.bharathh.info/pubs/codes/SBD) as index PNGs to SegmentationClassSBD, its train.txt to'
             ' ImageSets/Segmentation/sbd_train.txt, and the VOC2011 validation images that are not in it to'
             ' ImageSets/Segmentation/seg11valid.txt.')
train_dataloader = dict(
    dataset=dict(
        ann_file='ImageSets/Segmentation/sbd_train.txt', data_prefix=dict(seg_map_path='SegmentationClassSBD')))
val_dataloader = dict(dataset=dict(ann_file='ImageSets/Segmentation/seg11valid.txt'))
test_dataloader = val_dataloader
