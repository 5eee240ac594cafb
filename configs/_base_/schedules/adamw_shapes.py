# AdamW for training from scratch, averaged loss; the rate falls to 0 within the stage.
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1400, val_interval=1400)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False)]
