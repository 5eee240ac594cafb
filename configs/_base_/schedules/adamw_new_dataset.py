# AdamW, averaged loss; the rate rises for 50 iterations, as BatchNorm and AdamW know nothing yet, and falls to 0 until the end.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1200, val_interval=120)
param_scheduler = [  # their factors are multiplied
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=50),
    dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False)
]
