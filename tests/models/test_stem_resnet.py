"""The ResNet that returns its stem."""

import math
from pathlib import Path

import pytest
import torch
from mmseg.models.backbones import ResNet
from mmseg.registry import MODELS
from torch import nn

from mmppc.models.backbones import StemResNet

STRIDES = (1, 2, 2, 1)


@pytest.mark.parametrize('size', [(64, 96), (75, 53), (1, 1)])
def test_levels_have_the_published_strides(size: tuple[int, int]) -> None:
    net = StemResNet(depth=18, strides=STRIDES).eval()
    levels = net(torch.randn(2, 3, *size))
    assert [level.shape[1] for level in levels] == [64, 64, 128, 256, 512]
    for level, stride in zip(levels, (4, 4, 8, 16, 16)):
        assert level.shape[-2:] == tuple(math.ceil(side / stride) for side in size)


def test_depth_50_has_the_published_widths() -> None:
    with torch.device('meta'):
        levels = StemResNet(depth=50, strides=STRIDES).eval()(torch.empty(1, 3, 96, 112))
    assert [tuple(level.shape[1:]) for level in levels] == [
        (64, 24, 28),
        (256, 24, 28),
        (512, 12, 14),
        (1024, 6, 7),
        (2048, 6, 7),
    ]


@pytest.mark.parametrize('deep_stem', [False, True])
def test_layers_are_those_of_mmseg(deep_stem: bool) -> None:
    net = MODELS.build(dict(type='StemResNet', depth=18, deep_stem=deep_stem, out_indices=(1, 3)))
    stock = ResNet(depth=18, deep_stem=deep_stem, out_indices=(1, 3))
    stock.load_state_dict(net.state_dict())
    stock.eval()  # returns None
    inputs = torch.randn(1, 3, 64, 64)
    stem = {}
    stock.maxpool.register_forward_hook(lambda module, args, output: stem.update(pooled=output))
    expected = stock(inputs)
    levels = net.eval()(inputs)
    assert len(levels) == 3
    assert torch.equal(levels[0], stem['pooled'])
    for level, other in zip(levels[1:], expected):
        assert torch.equal(level, other)


def test_all_stages_can_be_frozen() -> None:
    net = StemResNet(depth=18, frozen_stages=4, norm_eval=True).train()
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert not any(m.training for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    before = net.bn1.running_mean.clone()
    assert not any(level.requires_grad for level in net(torch.randn(2, 3, 32, 32)))
    assert torch.equal(net.bn1.running_mean, before)


def test_refuses_weights_of_another_depth(tmp_path: Path) -> None:
    path = tmp_path / 'weights.pth'
    torch.save(ResNet(depth=34).state_dict(), path)
    net = StemResNet(depth=50, init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    with pytest.raises(ValueError, match='missing'):
        net.init_weights()
    torch.save({**ResNet(depth=18).state_dict(), 'fc.weight': torch.ones(1)}, path)
    net = StemResNet(depth=18, init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    net.init_weights()
    assert torch.equal(net.conv1.weight, torch.load(path, weights_only=True)['conv1.weight'])
