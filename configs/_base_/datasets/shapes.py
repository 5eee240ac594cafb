# Drawn shapes, 160x128, 6 classes: train (1,000 images) and val (80); mirrored at random, 4 at a time.
_base_ = './voc2012.py'
data_help = 'Run `fcn prepare shapes data/shapes`.'
data_root = 'data/shapes'
load = [dict(type='LoadImageFromFile'), dict(type='LoadLabels', palette='ShapesDataset')]
train_pipeline = [*load, dict(type='RandomFlip', prob=0.5), dict(type='PackSegInputs')]
test_pipeline = [*load, dict(type='PackSegInputs')]
dataset = dict(type='ShapesDataset', data_root=data_root)
loader = dict(num_workers=0, persistent_workers=False)  # images this small are read faster than worker processes start
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline, **dataset), **loader)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset), **loader)
test_dataloader = val_dataloader
del load, dataset, loader
