# Table 5, + proto mining: the row before with semi-hard negatives.
_base_ = ['./table5_intra.py']
model = dict(losses=dict(contrast=dict(prototype_mining=True)))
