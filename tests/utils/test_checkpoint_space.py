"""The room that checkpoints need, known before a training starts."""

from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from torch import nn

from mmppc.utils.checkpoint_space import (
    check_checkpoint_space,
    checkpoint_bytes,
    number_of_checkpoints,
)

Usage = namedtuple('Usage', 'total used free')


def network() -> nn.Module:
    """1100 weights of 4 bytes, 100 of which stand still."""
    net = nn.Sequential(nn.Linear(100, 10, bias=False), nn.Linear(10, 10, bias=False))
    net[1].weight.requires_grad_(False)
    return net


@pytest.mark.parametrize(
    ('optimizer', 'copies'),
    [
        (dict(type='SGD', lr=0.1), 0),
        (dict(type='SGD', lr=0.1, momentum=0.9), 1),
        (dict(type='AdamW', lr=0.1), 2),
    ],
)
def test_the_estimate_is_what_a_checkpoint_takes(tmp_path, optimizer, copies):
    net = network()
    assert checkpoint_bytes(net, optimizer) == 4 * (1100 + copies * 1000)
    settings = {key: value for key, value in optimizer.items() if key != 'type'}
    taught = getattr(torch.optim, optimizer['type'])(net.parameters(), **settings)
    net(torch.ones(1, 100)).sum().backward()
    taught.step()
    path = tmp_path / 'iter_1.pth'
    torch.save({'state_dict': net.state_dict(), 'optimizer': taught.state_dict()}, path)
    assert 0 <= path.stat().st_size - checkpoint_bytes(net, optimizer) < 5000


@pytest.mark.parametrize(
    ('settings', 'number'),
    [
        (dict(interval=10, max_keep_ckpts=2), 2),
        (dict(interval=10), 4),
        (dict(interval=100, max_keep_ckpts=2), 1),
        (dict(interval=10, max_keep_ckpts=2, save_best='mIoU', rule='greater'), 3),
    ],
)
def test_how_many_there_are_at_once(settings, number):
    assert number_of_checkpoints(CheckpointHook(by_epoch=False, **settings), 35) == number


def runner_in(folder):
    cfg = Config(
        dict(train_cfg=dict(max_iters=35), optim_wrapper=dict(optimizer=dict(type='AdamW')))
    )
    hook = CheckpointHook(by_epoch=False, interval=10, max_keep_ckpts=3)
    return SimpleNamespace(cfg=cfg, model=network(), hooks=[hook], work_dir=str(folder / 'work'))


def test_a_training_that_does_not_fit_is_refused(tmp_path, monkeypatch):
    needed = 3 * 4 * 3100
    for free in (needed, needed - 1):
        monkeypatch.setattr('shutil.disk_usage', lambda _, free=free: Usage(0, 0, free))
        if free == needed:
            check_checkpoint_space(runner_in(tmp_path))
            continue
        with pytest.raises(OSError, match=r'for 3 checkpoint\(s\) of 1 MB; make room'):
            check_checkpoint_space(runner_in(tmp_path))
    # Two that are there go as new ones come.
    (tmp_path / 'work').mkdir()
    for name in ('iter_10.pth', 'iter_20.pth'):
        (tmp_path / 'work' / name).touch()
    monkeypatch.setattr('shutil.disk_usage', lambda _: Usage(0, 0, needed // 3))
    check_checkpoint_space(runner_in(tmp_path))
