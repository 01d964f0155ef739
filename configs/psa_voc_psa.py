# The same with the values of PSA: a longer walk, a smaller background, ten times the learning rate.
_base_ = ['./psa_voc.py']
default_hooks = dict(labels=dict(crf='psa', low=dict(alpha=4), high=dict(alpha=32)))
model = dict(test_cfg=dict(background=dict(alpha=16, constant=None), log_steps=8))
optim_wrapper = dict(optimizer=dict(lr=0.1))
