"""SyncNormsHook: the checkpoint of an iteration holds the statistics of all ranks."""

from pathlib import Path
from types import SimpleNamespace

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmppc.hooks import SyncNormsHook, sync_norms_hook

RUNTIME = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'default_runtime.py'
ITERATIONS = 3


class Network(BaseModel):
    """A batch norm that moves and one that rests."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.rest = nn.BatchNorm1d(2)

    def train(self, mode=True):
        super().train(mode)
        self.rest.eval()
        return self

    def forward(self, inputs, mode):
        return {'loss': self.rest(self.norm(inputs)).sum()}


def pictures(rank):
    generator = torch.Generator().manual_seed(rank)
    return torch.randn(4 * ITERATIONS, 2, generator=generator) * (1 + rank) + rank


def run_rank(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    cfg = Config.fromfile(RUNTIME)
    del cfg.default_hooks['visualization']
    cfg.default_hooks.checkpoint.interval = 1
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    network = Network()
    Runner(
        network,
        f'{folder}/run',
        train_dataloader=DataLoader([{'inputs': x} for x in pictures(rank)], batch_size=4),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=ITERATIONS),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=cfg.default_hooks,
        default_scope=cfg.default_scope,
        randomness=cfg.randomness,
        experiment_name=f'sync{rank}',
    ).train()
    torch.save(network.state_dict(), f'{folder}/{rank}.pt')
    dist.barrier()  # PyTorch 2.1 may hang where a group ends while a collective holds a tensor
    dist.destroy_process_group()


def test_each_checkpoint_holds_the_mean_of_the_ranks(tmp_path):
    mp.spawn(run_rank, args=(str(tmp_path),), nprocs=2)
    ends = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    alone = [nn.BatchNorm1d(2) for _ in range(2)]
    for iteration in range(ITERATIONS):
        for rank, norm in enumerate(alone):
            norm(pictures(rank)[4 * iteration : 4 * iteration + 4])
        saved = torch.load(tmp_path / 'run' / f'iter_{iteration + 1}.pth', weights_only=False)
        for name in ('running_mean', 'running_var'):
            mean = (getattr(alone[0], name) + getattr(alone[1], name)) / 2
            torch.testing.assert_close(saved['state_dict'][f'norm.{name}'], mean)
    for name in ('running_mean', 'running_var'):
        assert torch.equal(ends[0][f'norm.{name}'], ends[1][f'norm.{name}'])


def test_norms_at_rest_take_no_part(monkeypatch):
    """Rounding would move them, a little at each iteration."""
    seen = []
    monkeypatch.setattr(
        sync_norms_hook, 'all_reduce_params', lambda values, op: seen.extend(values)
    )
    network = Network().train()
    SyncNormsHook().after_train_iter(SimpleNamespace(model=network), 0)
    assert [value.data_ptr() for value in seen] == [
        network.norm.running_mean.data_ptr(),
        network.norm.running_var.data_ptr(),
    ]
