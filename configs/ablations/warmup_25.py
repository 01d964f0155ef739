# Warm-up: the contrast counts after 25 % of the iterations.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
default_hooks = dict(warmup=dict(type='LossRampHook', loss='contrast', begin=0.25, end=0.25))
