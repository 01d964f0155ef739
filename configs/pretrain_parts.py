# The network that the experiments on the parts set start from, as the paper's start from ImageNet: a tag classifier,
# trained from scratch on other pictures of the same kind. tools/dataset_converters/prepare_parts.py runs it.
_base_ = ['./cam_toy.py']
data_root = 'data/parts/pretraining'
max_iters = 700  # 3.5 epochs of 1600 pictures in batches of 8
train_dataloader = dict(batch_size=8, dataset=dict(data_root=data_root))
auto_scale_lr = dict(base_batch_size=8)
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 1, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
