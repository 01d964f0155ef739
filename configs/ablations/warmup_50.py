# Warm-up: the contrast counts after 50 % of the iterations.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
default_hooks = dict(warmup=dict(type='LossRampHook', loss='contrast', begin=0.5, end=0.5))
