# AdamW, averaged loss, batch 1: converges from pretrained convolutions alone, with random fc6 and fc7.
# The convolutions learn at a fifth of the rate of fc6, fc7 and the scores; the rate falls to 0 within the stage.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-5, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.2))))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=500, val_interval=500)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False)]
