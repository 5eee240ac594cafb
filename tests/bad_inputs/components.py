"""Components that the toolbox cannot build: misspelt, with wrong values, or with packages that are not there."""

from .case import Bad

TABLE = [
    Bad(
        "optimizer-setting",
        ("optim_wrapper: ", "OptimWrapper has no setting 'optimiser', did you mean 'optimizer'?"),
        options="optim_wrapper.optimiser.lr=0.1",
    ),
    Bad(
        "optimizer-keyword",
        "optim_wrapper.optimizer: AdamW has no setting 'weight_deca', did you mean 'weight_decay'?",
        options="optim_wrapper.optimizer.weight_deca=0.1",
    ),
    Bad(
        "optimizer-name",
        "optim_wrapper.optimizer.type: there is no 'AdamX' among the toolbox's optimizers, did you mean 'Adam'?",
        options="optim_wrapper.optimizer.type=AdamX",
    ),
    Bad(
        "optimizer-value",
        "optim_wrapper cannot be built: AdamW: Invalid learning rate: -0.1",
        options="optim_wrapper.optimizer.lr=-0.1",
    ),
    Bad("optimizer-text", "optim_wrapper cannot be built: AdamW: ", options="optim_wrapper.optimizer.lr=fast"),
    Bad(
        "amp-on-the-cpu",
        "optim_wrapper cannot be built: AmpOptimWrapper: ",
        options="optim_wrapper.type=AmpOptimWrapper optim_wrapper.dtype=float16",
    ),
    Bad("no-optimizer", "config.py has no optim_wrapper, which a training needs", config="optim_wrapper = None"),
    Bad(
        "schedule",
        "param_scheduler.0: PolyLR has no setting 'powr', did you mean 'power'?",
        options="param_scheduler.0.powr=2",
    ),
    Bad(
        "schedule-name",
        "param_scheduler.0.type: there is no 'PolyRL' among the toolbox's parameter schedulers, did you mean 'PolyLR'?",
        options="param_scheduler.0.type=PolyRL",
    ),
    Bad(
        "schedule-order",
        "param_scheduler.0 cannot be built: PolyLR: ",
        options="param_scheduler.0.begin=5 param_scheduler.0.end=2",
    ),
    Bad(
        "loop",
        "train_cfg: IterBasedTrainLoop has no setting 'max_iter', did you mean 'max_iters'?",
        options="train_cfg.max_iter=3",
    ),
    Bad(
        "loop-of-epochs",
        "this config does not fit an EpochBasedTrainLoop: the SeededInfiniteSampler never ends an epoch",
        options="train_cfg.type=EpochBasedTrainLoop train_cfg.max_epochs=2",
    ),
    Bad(
        "loop-name",
        "val_cfg.type: there is no 'ValLop' among the toolbox's loops, did you mean 'ValLoop'?",
        options="val_cfg.type=ValLop",
    ),
    Bad(
        "loader",
        "train_dataloader: DataLoader has no setting 'batchsize', did you mean 'batch_size'?",
        config="train_dataloader = dict(batchsize=2)",
    ),
    Bad(
        "sampler",
        ("train_dataloader.sampler.type: there is no 'InfinitSampler' among", "did you mean 'InfiniteSampler'?"),
        options="train_dataloader.sampler.type=InfinitSampler",
    ),
    Bad(
        "sampler-setting",
        "SeededInfiniteSampler has no setting 'shufle', did you mean 'shuffle'?",
        options="train_dataloader.sampler.shufle=True",
    ),
    Bad(
        "collate",
        "collate_fn.type: there is no 'pseudo_colate' among the toolbox's functions, did you mean 'pseudo_collate'?",
        config="train_dataloader = dict(collate_fn=dict(type='pseudo_colate'))",
    ),
    Bad(
        "hook",
        "custom_hooks.0.type: there is no 'EMAHok' among the toolbox's hooks, did you mean 'EMAHook'?",
        config="custom_hooks = [dict(type='EMAHok')]",
    ),
    Bad(
        "hook-setting",
        "default_hooks.checkpoint: CheckpointHook has no setting 'intervall', did you mean 'interval'?",
        options="default_hooks.checkpoint.intervall=5",
    ),
    Bad(
        "hook-value",
        "custom_hooks.0 cannot be built: EMAHook: ",
        config="custom_hooks = [dict(type='EMAHook', begin_iter=1, begin_epoch=1)]",
    ),
    Bad(
        "hook-without-type",
        "default_hooks.chekpoint has no type, did you mean 'checkpoint'?",
        config="default_hooks = dict(chekpoint=dict(interval=5))",
    ),
    Bad(
        "wandb",
        "visualizer.vis_backends.1 cannot be used: the package wandb is not installed: run pip install wandb",
        config="visualizer = dict(vis_backends=[dict(type='LocalVisBackend'), dict(type='WandbVisBackend')])",
    ),
    Bad(
        "backend",
        "visualizer.vis_backends.0.type: there is no 'LocalVisBacken' among the toolbox's",
        options="visualizer.vis_backends.0.type=LocalVisBacken",
    ),
    Bad("visualizer", "SegLocalVisualizer has no setting 'alph', did you mean 'alpha'?", options="visualizer.alph=0.3"),
    Bad(
        "metric",
        "val_evaluator: FCNMetric has no setting 'iou_metric', did you mean 'iou_metrics'?",
        options="val_evaluator.iou_metric=mIoU",
    ),
    Bad(
        "metric-name",
        "val_evaluator.type: there is no 'FCNMetrik' among the toolbox's metrics, did you mean 'FCNMetric'?",
        options="val_evaluator.type=FCNMetrik",
    ),
    Bad(
        "figure-of-a-metric",
        "val_evaluator cannot be built: iou_metrics='mIuO' has unknown figures",
        options="val_evaluator.iou_metrics=mIuO",
    ),
    Bad("schedule-value", "param_scheduler.0 cannot be built: ", options="param_scheduler.0.power=high"),
    Bad(
        "hook-interval",
        "default_hooks.checkpoint.interval must be a whole number, -1 or more, got 'often'",
        options="default_hooks.checkpoint.interval=often",
    ),
    Bad(
        "start-of-workers",
        ("env_cfg.mp_cfg.mp_start_method must be one of fork, ", "got 'thread'"),
        options="env_cfg.mp_cfg.mp_start_method=thread",
    ),
    Bad("type-as-a-number", "val_cfg.type: expected a name or a class, got 3", options="val_cfg.type=3"),
    Bad(
        "initialisation",
        "init_cfg must be a dict with a type, or a list of such dicts, got 'vgg16.pth'",
        options="model.backbone.init_cfg=vgg16.pth",
    ),
    Bad("half-a-validation", "config.py has no val_evaluator, which a validation needs", config="val_evaluator = None"),
    Bad(
        "backbone",
        "model.backbone.paddding: FCNVGG has no setting 'paddding', did you mean 'padding'?",
        options="model.backbone.paddding=1",
    ),
    Bad(
        "backbone-name",
        "model.backbone.type: there is no 'FCNVG' among the toolbox's models, did you mean 'FCNVGG'?",
        options="model.backbone.type=FCNVG",
        command="test config.py {checkpoint} --data-root data --work-dir work",
    ),
    Bad(
        "norm",
        "there is no 'BNN' among the toolbox's models",
        options="model.backbone.norm_cfg.type=BNN",
        command="export config.py {checkpoint} --out net.onnx",
    ),
    Bad(
        "loss",
        "loss_decode.type: there is no 'CrossEntropyLos' among the toolbox's models, did you mean 'CrossEntropyLoss'?",
        options="model.decode_head.loss_decode.type=CrossEntropyLos",
    ),
    Bad(
        "part-of-the-model",
        "model.bakbone: AlignedEncoderDecoder has no setting 'bakbone', did you mean 'backbone'?",
        config="model = dict(bakbone=dict(type='FCNVGG'))",
    ),
    Bad(
        "package-of-a-model",
        "'nowhere.ResNet' is not there: the package nowhere is not installed: run pip install nowhere",
        options="model.backbone.type=nowhere.ResNet",
        command="predict {root}/README.md config.py {checkpoint} --out out",
    ),
    Bad(
        "preprocessor",
        "model.data_preprocessor.meen: SegDataPreProcessor has no setting 'meen', did you mean 'mean'?",
        options="model.data_preprocessor.meen=3",
    ),
    Bad(
        "transform",
        "'RandomFlipp'",
        config="train_dataloader = dict(dataset=dict(pipeline=[dict(type='RandomFlipp')]))",
    ),
    Bad(
        "augmentations-not-installed",
        ("albumentations", "not installed"),
        config="train_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadLabels'),"
        " dict(type='Albu', transforms=[]), dict(type='PackSegInputs')]))",
    ),
    Bad("data-set", "'ShapeDataset'", options="train_dataloader.dataset.type=ShapeDataset"),
    Bad(
        "log",
        "log_processor: LogProcessor has no setting 'windw_size', did you mean 'window_size'?",
        options="log_processor.windw_size=5",
    ),
    Bad(
        "several-at-once",
        ("3 problems", "- train_dataloader: ", "- optim_wrapper", "- default_hooks.logger: "),
        config="train_dataloader = dict(batchsize=2)",
        options="optim_wrapper.optimizer.rate=1 default_hooks.logger.intervl=1",
    ),
]
