# The same with the values of SEAM: soft unaries, and a background that follows the scores.
_base_ = ['./psa_voc.py']
default_hooks = dict(labels=dict(crf='psa', low=dict(alpha=4), high=dict(alpha=24)))
model = dict(test_cfg=dict(background=dict(alpha=6, constant=None), log_steps=6))
