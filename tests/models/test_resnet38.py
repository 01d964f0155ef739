import math

import pytest
import torch
from mmseg.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmppc.models.backbones.resnet38 import ResNet38

TINY = {'base_channels': 2, 'depths': (1, 1, 1, 1)}


def build(**kwargs):
    return MODELS.build({'type': 'ResNet38', **TINY, **kwargs})


@pytest.mark.parametrize('size', [(128, 96), (75, 53), (41, 8)])
def test_taps_have_the_published_strides_and_widths(size):
    net = build(depths=(2, 1, 2, 2))
    taps = net(torch.randn(2, 3, *size))
    assert net.out_channels == (8, 16, 32, 128)
    for tap, channels, stride in zip(taps, net.out_channels, (4, 8, 8, 8)):
        assert tap.shape == (2, channels, *(math.ceil(side / stride) for side in size))
        assert tap.min() >= 0


def test_full_width_counts_and_sizes():
    with torch.device('meta'):
        net = ResNet38()
        taps = net.eval()(torch.empty(1, 3, 333, 500))
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 43
    assert round(sum(m.weight.numel() for m in convs) / 1e6, 2) == 105.02
    assert all(m.bias is None for m in convs)
    assert [tuple(t.shape[1:]) for t in taps] == [
        (256, 84, 125),
        (512, 42, 63),
        (1024, 42, 63),
        (4096, 42, 63),
    ]
    blocks = [name for name, _ in net.named_children() if name.startswith('b') and name != 'bn7']
    stages = {'b2': 3, 'b3': 3, 'b4': 6, 'b5': 3, 'b6': 1, 'b7': 1}
    assert blocks == [f'{b}_{k}' if k else b for b, count in stages.items() for k in range(count)]
    dilations = {name: m.dilation[0] for name, m in net.named_modules() if isinstance(m, nn.Conv2d)}
    assert {name: d for name, d in dilations.items() if d > 1} == {
        'b5.conv_branch2b1': 2,
        'b5_1.conv_branch2a': 2,
        'b5_1.conv_branch2b1': 2,
        'b5_2.conv_branch2a': 2,
        'b5_2.conv_branch2b1': 2,
        'b6.conv_branch2b1': 4,
        'b7.conv_branch2b1': 4,
    }


def test_taps_are_the_activated_inputs_of_blocks():
    net = build(depths=(1, 1, 1, 1)).eval()
    seen = {}
    for name in ('b4', 'b5', 'b6'):
        getattr(net, name).register_forward_pre_hook(
            lambda module, args: seen.setdefault(module, args[0])
        )
    taps = net(torch.randn(1, 3, 32, 32))
    for tap, name in zip(taps, ('b4', 'b5', 'b6')):
        block = getattr(net, name)
        torch.testing.assert_close(tap, block.bn_branch2a(seen[block]).relu())


def test_defaults_freeze_what_the_published_networks_freeze():
    net = build(depths=(2, 1, 1, 1))
    assert net.train() is net
    assert net.eval() is net
    assert net.train().training
    trained = {name for name, p in net.named_parameters() if p.requires_grad}
    frozen = ('conv1a.', 'b2.', 'b2_1.')
    expected = {
        name
        for name, _ in net.named_parameters()
        if '.conv_' in f'.{name}' and not name.startswith(frozen)
    }
    assert trained == expected
    norms = [m for m in net.modules() if isinstance(m, _BatchNorm)]
    assert norms
    assert not any(m.training for m in norms)
    before = {name: value.clone() for name, value in net.named_buffers()}
    net(torch.randn(2, 3, 32, 32))[-1].sum().backward()
    assert all(torch.equal(before[name], value) for name, value in net.named_buffers())
    assert all((p.grad is not None) == (name in trained) for name, p in net.named_parameters())


def test_dropout_is_active_in_training_only():
    net = build(drop_ratios=(0.3, 0.5))
    picture = torch.randn(1, 3, 32, 32)
    low_a, *_, high_a = net.train()(picture)
    low_b, *_, high_b = net(picture)
    torch.testing.assert_close(low_a, low_b)
    assert not torch.allclose(high_a, high_b)
    net.eval()
    torch.testing.assert_close(net(picture)[-1], net(picture)[-1])
    assert (net.b6.dropout_2b1.p, net.b7.dropout_2b2.p) == (0.3, 0.5)


def test_everything_can_be_trained():
    net = build(frozen_stages=-1, norm_eval=False, train_bn_affine=True).train()
    assert all(p.requires_grad for p in net.parameters())
    before = net.bn7.running_mean.clone()
    net(torch.randn(2, 3, 32, 32))
    assert not torch.equal(before, net.bn7.running_mean)


def test_statistics_may_move_while_the_affine_rests():
    net = build(frozen_stages=-1, norm_eval=False).train()
    assert net.bn7.training
    assert not net.bn7.weight.requires_grad
    assert net.conv1a.weight.requires_grad


def test_recomputing_blocks_changes_nothing():
    picture = torch.randn(1, 3, 32, 32)
    gradients = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        net = build(with_cp=with_cp)
        net.init_weights()
        torch.manual_seed(1)
        net.train()(picture)[-1].sum().backward()
        gradients.append(net.b4.conv_branch2a.weight.grad)
    torch.testing.assert_close(*gradients)


def test_out_indices_choose_taps():
    net = build(out_indices=(1, 3))
    assert net.out_channels == (16, 128)
    assert [t.shape[1] for t in net(torch.randn(1, 3, 16, 16))] == [16, 128]


def pretrained(path, **kwargs):
    return build(init_cfg={'type': 'Pretrained', 'checkpoint': str(path), **kwargs})


def test_a_pretrained_checkpoint_is_loaded_whole(tmp_path):
    state = build().state_dict()
    older = {k: torch.rand(v.shape) for k, v in state.items() if 'num_batches' not in k}
    torch.save({'state_dict': {f'backbone.{k}': v for k, v in older.items()}}, tmp_path / 'a.pth')
    torch.save(older, tmp_path / 'b.pth')
    for net in (
        pretrained(tmp_path / 'a.pth', prefix='backbone'),
        pretrained(tmp_path / 'b.pth'),
    ):
        net.init_weights()
        assert all(torch.equal(net.state_dict()[name], value) for name, value in older.items())


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda s: s.pop('bn7.weight'), r'1 of \d+ parameters are missing \(bn7\.weight\)'),
        (lambda s: s.pop('bn7.running_mean'), r'missing \(bn7\.running_mean\)'),
        (
            lambda s: s.update({'conv1a.weight': torch.ones(2, 4, 3, 3)}),
            r'conv1a\.weight \(2, 4, 3, 3\) != \(2, 3, 3, 3\)',
        ),
        (lambda s: [s.clear(), s.update({'conv1.weight': torch.ones(1)})], 'Found conv1.weight'),
    ],
)
def test_a_pretrained_checkpoint_of_another_network_is_refused(tmp_path, change, words):
    state = build().state_dict()
    change(state)
    path = tmp_path / 'a.pth'
    torch.save({f'backbone.{name}': value for name, value in state.items()}, path)
    with pytest.raises(ValueError, match=words) as caught:
        pretrained(path, prefix='backbone.').init_weights()
    assert str(caught.value).startswith(str(path))
    assert 'tools/model_converters/published_to_mmppc.py' in str(caught.value)


def test_a_pretrained_checkpoint_without_the_prefix_or_missing_is_refused(tmp_path):
    path = tmp_path / 'a.pth'
    with pytest.raises(FileNotFoundError, match=r'a\.pth.*published_to_mmppc\.py'):
        pretrained(path, prefix='backbone.').init_weights()
    torch.save(build().state_dict(), path)
    with pytest.raises(ValueError, match=r"no parameter under 'backbone\.'; found conv1a\.weight"):
        pretrained(path, prefix='backbone.').init_weights()


@pytest.mark.parametrize(
    ('kwargs', 'words'),
    [
        ({'depths': (3, 3, 6)}, 'depths must have 4'),
        ({'depths': (0, 1, 1, 1)}, 'at least 1'),
        ({'out_indices': (0, 4)}, 'out_indices'),
        ({'out_indices': ()}, 'out_indices'),
        ({'frozen_stages': 7}, 'frozen_stages'),
        ({'base_channels': 0}, 'base_channels'),
    ],
)
def test_refuses_what_does_not_fit(kwargs, words):
    with pytest.raises(ValueError, match=words):
        ResNet38(**kwargs)
