# What all configs that `fcn new-dataset` writes have in common, but for the model: a file of models/ is inherited beside it.
_base_ = ['datasets/voc_layout.py', 'schedules/adamw_new_dataset.py', 'default_runtime.py']
from importlib.util import find_spec

vis_backends = [dict(type='LocalVisBackend')]
if find_spec('tensorboard'):
    vis_backends.append(dict(type='TensorboardVisBackend'))
visualizer = dict(vis_backends=vis_backends)
# ends a training whose figure has not risen by 0.1 for half of its 10 validations; one that is undefined does not count
early_stopping = dict(type='EarlyStoppingHook', monitor='mIoU', rule='greater', patience=5, check_finite=False)
custom_hooks = [*_base_.custom_hooks, early_stopping]
default_hooks = dict(checkpoint=dict(save_best='mIoU', rule='greater'))
del find_spec, early_stopping
