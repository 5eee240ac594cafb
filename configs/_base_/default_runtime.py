custom_imports = dict(imports=['fcn_plugin'], allow_failed_imports=False)
default_scope = 'mmseg'
runner_type = 'StagedRunner'  # trains the stages before (`earlier_stage`) and checks, also from the toolbox's own tools
env_cfg = dict(
    cudnn_benchmark=False,  # images come in many sizes
    mp_cfg=dict(opencv_num_threads=0))
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(by_epoch=False)
log_level = 'INFO'
precision = 'auto'  # bfloat16 where the device computes in it; or 'float32', 'bfloat16'
data_check = True  # read all images and labels before training and testing
load_from = None
resume = False
randomness = dict(seed=0)
custom_hooks = [dict(type='CheckpointCheckHook'), dict(type='IterationSeedHook'), dict(type='ClassMetricsHook')]
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # two checkpoints are kept, so that a kill while one is written leaves the other
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=4000, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = dict(type='FCNMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
tta_model = dict(type='MeanTTAModel')
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[[dict(type='Resize', scale_factor=r, keep_ratio=True) for r in (0.75, 1.0, 1.25)],
                    [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0., 1.)],
                    [dict(type='LoadLabels')], [dict(type='PackSegInputs')]])
]
