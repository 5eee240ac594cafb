# A data set of one's own in the layout of PASCAL VOC; classes, palette and data_root are for the config that inherits.
_base_ = './voc2012.py'
data_help = 'Run `fcn new-dataset`, or bring the pictures to the layout of docs/own_dataset.md.'
train_dataloader = dict(dataset=dict(type='BaseSegDataset'))
val_dataloader = dict(dataset=dict(type='BaseSegDataset'))
test_dataloader = val_dataloader
