# What all configs that `fcn new-dataset` writes have in common, but for the model: a file of models/ is inherited beside it.
_base_ = ['datasets/voc_layout.py', 'schedules/adamw_new_dataset.py', 'default_runtime.py']
from importlib.util import find_spec

vis_backends = [dict(type='LocalVisBackend')]
if find_spec('tensorboard'):
    vis_backends.append(dict(type='TensorboardVisBackend'))
visualizer = dict(vis_backends=vis_backends)
del find_spec
