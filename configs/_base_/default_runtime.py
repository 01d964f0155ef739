# What every stage shares: registration, logging, checkpoints, randomness.
default_scope = 'mmseg'
custom_imports = dict(imports=['mmppc'], allow_failed_imports=False)
env_cfg = dict(
    cudnn_benchmark=False,  # its choice of algorithms differs from run to run
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),  # gloo where there is no GPU
)
randomness = dict(seed=0)
log_processor = dict(by_epoch=False)
log_level = 'INFO'
load_from = None
resume = False

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # The oldest is removed before the newest is written: two, so that one is always whole.
    checkpoint=dict(
        type='CheckpointHook',
        by_epoch=False,
        interval=1000,
        max_keep_ckpts=2,
        backend_args=dict(backend='atomic'),
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
    random_state=dict(type='RandomStateHook'),
    class_count=dict(type='ClassCountHook'),
    sync_norms=dict(type='SyncNormsHook'),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer')
