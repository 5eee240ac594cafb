# PAMI recipe: loss summed over pixels, batch 1, momentum 0.99, fixed rate, biases at twice the rate without decay.
# The rate is that of FCN-32s and of training at once; FCN-16s and FCN-8s lower it by 100 each.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=1e-10, momentum=0.99, weight_decay=5e-4),
    paramwise_cfg=dict(bias_lr_mult=2., bias_decay_mult=0.))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=100000, val_interval=4000)
