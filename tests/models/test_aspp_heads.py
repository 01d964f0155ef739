"""SumASPPHead and ConcatASPPHead, layer by layer and in a stock EncoderDecoder."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import mmppc.models.backbones.resnet38
import mmppc.models.heads.concat_aspp_head
import mmppc.models.heads.largefov_head
import mmppc.models.heads.sum_aspp_head  # noqa: F401

SUM = {'type': 'SumASPPHead', 'num_classes': 4, 'dilations': (1, 2, 3, 4)}
CONCAT = {**SUM, 'type': 'ConcatASPPHead', 'channels': 8}
FOV = {'type': 'LargeFOVHead', 'num_classes': 4, 'channels': 8, 'dilation': 3}
# A ResNet101's arrangement on a network of four blocks: norms whose scale and shift rest, on batch statistics.
RESNET = {
    'type': 'ResNetV1c',
    'depth': 18,
    'stem_channels': 8,
    'base_channels': 4,
    'strides': (1, 2, 1, 1),
    'dilations': (1, 1, 2, 4),
    'contract_dilation': True,
    'out_indices': (3,),
    'norm_cfg': {'type': 'BN', 'requires_grad': False},
    'zero_init_residual': False,
}
OPTIMIZER = {
    'type': 'OptimWrapper',
    'optimizer': {'type': 'SGD', 'lr': 0.01, 'momentum': 0.9, 'weight_decay': 0.5},
    'paramwise_cfg': {'custom_keys': {'decode_head': {'lr_mult': 10}}},
}


def build_head(cfg, in_channels=16):
    init_default_scope('mmseg')
    return MODELS.build({**cfg, 'in_channels': in_channels, 'in_index': 0})


def segmentor(head, backbone, in_channels):
    init_default_scope('mmseg')
    model = MODELS.build(
        {
            'type': 'EncoderDecoder',
            'data_preprocessor': {'type': 'SegDataPreProcessor', 'size': (40, 32)},
            'backbone': backbone,
            'decode_head': {
                **head,
                'in_channels': in_channels,
                'in_index': 0,
                'loss_decode': {'type': 'CrossEntropyLoss', 'avg_non_ignore': True},
            },
            'train_cfg': {},
            'test_cfg': ConfigDict(mode='whole'),
        }
    )
    model.init_weights()
    return model


def batch():
    samples = []
    for _ in range(2):
        sample = SegDataSample(metainfo={'ori_shape': (40, 32), 'img_shape': (40, 32)})
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 4, (1, 40, 32)))
        samples.append(sample)
    pictures = [torch.randint(0, 255, (3, 40, 32), dtype=torch.uint8) for _ in samples]
    return {'inputs': pictures, 'data_samples': samples}


def convs_of(head):
    return [
        (m.in_channels, m.out_channels, m.kernel_size[0], m.dilation[0], m.padding[0], m.bias is not None)
        for m in head.modules()
        if isinstance(m, nn.Conv2d)
    ]  # fmt: skip


def test_layers_of_the_published_head_are_those_of_the_reference():
    with torch.device('meta'):
        head = build_head({'type': 'ConcatASPPHead', 'num_classes': 21}, in_channels=2048)
    assert convs_of(head) == [
        (256, 21, 1, 1, 0, True),
        (2048, 256, 3, 6, 6, False),
        (2048, 256, 3, 12, 12, False),
        (2048, 256, 3, 18, 18, False),
        (2048, 256, 3, 24, 24, False),
        (2048, 256, 1, 1, 0, False),
        (1280, 256, 1, 1, 0, False),
    ]
    assert [m.momentum for m in head.modules() if isinstance(m, _BatchNorm)] == [3e-4] * 6
    assert [m.p for m in head.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]
    assert round(sum(p.numel() for p in head.parameters()) / 1e6, 1) == 19.7
    assert head.align_corners


def test_layers_of_the_classic_head():
    with torch.device('meta'):
        head = build_head({'type': 'SumASPPHead', 'num_classes': 21}, in_channels=2048)
    assert convs_of(head) == [(2048, 21, 3, rate, rate, True) for rate in (6, 12, 18, 24)]
    assert sum(p.numel() for p in head.parameters()) == 4 * (2048 * 21 * 9 + 21)
    assert head.align_corners
    assert head.dropout is None


def test_large_field_of_view_on_2048_channels_has_the_tabulated_size():
    with torch.device('meta'):
        head = build_head({'type': 'LargeFOVHead', 'num_classes': 21}, in_channels=2048)
    assert round(sum(p.numel() for p in head.parameters()) / 1e6, 1) == 9.7


def test_classic_head_is_the_sum_of_its_classifiers():
    torch.manual_seed(0)
    head = build_head(SUM)
    head.init_weights()
    features = torch.randn(2, 16, 7, 5)
    expected = torch.zeros(2, 4, 7, 5)
    for rate, classifier in zip((1, 2, 3, 4), head.conv_seg):
        classifier.bias.data.uniform_()
        expected += F.conv2d(
            features, classifier.weight, classifier.bias, padding=rate, dilation=rate
        )
    torch.testing.assert_close(head([features]), expected)


def test_published_head_is_the_literal_formula():
    torch.manual_seed(0)
    head = build_head(CONCAT).eval()
    for norm in (m for m in head.modules() if isinstance(m, _BatchNorm)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    features = torch.randn(2, 16, 7, 5)

    def layer(x, module, rate):
        x = F.conv2d(x, module.conv.weight, padding=rate, dilation=max(rate, 1))
        mean, var = module.bn.running_mean, module.bn.running_var
        return ((x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()).clamp(min=0)

    maps = [layer(features, head.branches[k], k + 1) for k in range(4)]
    pooled = layer(F.adaptive_avg_pool2d(features, 1), head.global_branch, 0)
    maps.append(F.interpolate(pooled, (7, 5), mode='bilinear', align_corners=True))
    mixed = layer(torch.cat(maps, dim=1), head.mix, 0)
    expected = F.conv2d(mixed, head.conv_seg.weight, head.conv_seg.bias)
    torch.testing.assert_close(head([features]), expected, rtol=1e-4, atol=1e-5)


def test_initialisations():
    torch.manual_seed(0)
    head = build_head({**CONCAT, 'channels': 64}, in_channels=64)
    head.init_weights()
    for conv in (head.branches[0].conv, head.global_branch.conv, head.mix.conv):
        expected = (2 / (conv.weight.shape[0] * conv.weight[0, 0].numel())) ** 0.5
        assert conv.weight.std().item() == pytest.approx(expected, rel=0.05)
    head = build_head(SUM, in_channels=256)
    head.init_weights()
    for classifier in head.conv_seg:
        assert classifier.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert classifier.bias.abs().max() == 0


@pytest.mark.parametrize('head', [SUM, CONCAT, FOV], ids=lambda head: head['type'])
@pytest.mark.parametrize('backbone', ['ResNetV1c', 'ResNet38'])
def test_trains_two_iterations_and_predicts(head, backbone):
    torch.manual_seed(0)
    resnet38 = {'type': 'ResNet38', 'base_channels': 1, 'depths': (1, 1, 1, 1), 'frozen_stages': -1}
    resnet38 |= {'norm_eval': False, 'train_bn_affine': False, 'out_indices': (3,)}
    on_v1c = backbone == 'ResNetV1c'
    model = segmentor(head, RESNET if on_v1c else resnet38, 32 if on_v1c else 64).train()
    wrapper = build_optim_wrapper(model, OPTIMIZER)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in range(2):
        logs = model.train_step(batch(), wrapper)
        assert torch.isfinite(logs['loss'])
    norms = [name for name, m in model.named_modules() if isinstance(m, _BatchNorm)]
    assert norms
    after = model.state_dict()
    affine = {f'{name}.{leaf}' for name in norms for leaf in ('weight', 'bias')}
    means = {f'{name}.running_mean' for name in norms}
    # Weight decay of 0.5 would show on the scales: they are exactly still, while statistics move.
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert not affine & moved
    assert means <= moved
    learned = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learned == dict(model.named_parameters()).keys() - affine
    assert learned <= moved
    held = {id(p) for group in wrapper.optimizer.param_groups for p in group['params']}
    assert held == {id(p) for name, p in model.named_parameters() if name in learned}
    result = model.eval().test_step(batch())[0]
    assert result.seg_logits.data.shape == (4, 40, 32)


@pytest.mark.parametrize('norm_eval', [True, False])
def test_norm_options(norm_eval):
    head = build_head({**CONCAT, 'norm_eval': norm_eval, 'train_bn_affine': True})
    assert head.train() is head
    norms = [m for m in head.modules() if isinstance(m, _BatchNorm)]
    assert [m.training for m in norms] == [not norm_eval] * 6
    assert all(p.requires_grad for p in head.parameters())
    if norm_eval:  # then a batch may be of one picture
        assert head([torch.randn(1, 16, 7, 5)]).shape == (1, 4, 7, 5)
    else:
        with pytest.raises(ValueError, match='more than 1 value per channel'):
            head([torch.randn(1, 16, 7, 5)])


def test_dropouts():
    torch.manual_seed(0)
    features = [torch.ones(2, 16, 7, 5)]
    head = build_head({**SUM, 'dropout_ratio': 0.5}).train()
    assert not torch.equal(head(features), head(features))
    head = build_head({**CONCAT, 'dropout_ratio': 0.0}).train()
    torch.testing.assert_close(head(features), head(features))


@pytest.mark.parametrize('head', [SUM, CONCAT], ids=lambda head: head['type'])
@pytest.mark.parametrize('dilations', [(), (6, 0)])
def test_refuses_dilations(head, dilations):
    with pytest.raises(ValueError, match='dilations must be one or more of at least 1, found'):
        build_head({**head, 'dilations': dilations})
