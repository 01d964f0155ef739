import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import mmppc.models.backbones.resnet38
import mmppc.models.heads.largefov_head  # noqa: F401

HEAD = {'type': 'LargeFOVHead', 'in_channels': 128, 'channels': 8, 'num_classes': 4, 'dilation': 3}


def segmentor():
    """A stock EncoderDecoder on a reduced ResNet38."""
    init_default_scope('mmseg')
    backbone = {'type': 'ResNet38', 'base_channels': 2, 'depths': (1, 1, 1, 1)}
    model = MODELS.build(
        {
            'type': 'EncoderDecoder',
            'data_preprocessor': {'type': 'SegDataPreProcessor', 'size': (40, 32)},
            'backbone': {**backbone, 'norm_eval': False},
            'decode_head': {**HEAD, 'loss_decode': {'type': 'CrossEntropyLoss'}},
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


def test_layers_are_those_of_the_reference():
    with torch.device('meta'):
        head = MODELS.build({'type': 'LargeFOVHead', 'in_channels': 4096, 'num_classes': 21})
    convs = [m for m in head.modules() if isinstance(m, nn.Conv2d)]
    assert [(m.kernel_size, m.dilation, m.padding, m.out_channels) for m in convs] == [
        ((1, 1), (1, 1), (0, 0), 21),
        ((3, 3), (12, 12), (12, 12), 512),
        ((1, 1), (1, 1), (0, 0), 512),
    ]
    assert [m.bias is not None for m in convs] == [True, False, False]
    assert [m.momentum for m in head.modules() if isinstance(m, _BatchNorm)] == [3e-4, 3e-4]
    assert round(sum(p.numel() for p in head.parameters()) / 1e6, 1) == 19.1
    assert isinstance(head.dropout, nn.Dropout)
    assert head.dropout.p == 0.5
    assert head.align_corners


def test_initialisation_is_kaiming_fan_out():
    head = MODELS.build({**HEAD, 'channels': 64})
    head.init_weights()
    for weight in (head.fov.conv.weight, head.mix.conv.weight):
        expected = (2 / (weight.shape[0] * weight[0, 0].numel())) ** 0.5
        assert weight.std().item() == pytest.approx(expected, rel=0.05)
    assert head.conv_seg.bias.abs().max() == 0


def test_trains_and_predicts_in_a_stock_encoder_decoder():
    torch.manual_seed(0)
    model = segmentor().train()
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.01)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    logs = model.train_step(batch(), OptimWrapper(optimizer))
    assert torch.isfinite(logs['loss'])
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    head = {name for name in moved if name.startswith('decode_head.')}
    assert head == {
        'decode_head.conv_seg.weight',
        'decode_head.conv_seg.bias',
        'decode_head.fov.conv.weight',
        'decode_head.mix.conv.weight',
    }
    assert 'backbone.b7.conv_branch2b2.weight' in moved
    result = model.eval().test_step(batch())[0]
    assert result.seg_logits.data.shape == (4, 40, 32)


@pytest.mark.parametrize('norm_eval', [True, False])
def test_norm_options(norm_eval):
    head = MODELS.build({**HEAD, 'norm_eval': norm_eval, 'train_bn_affine': True})
    assert head.train() is head
    norms = [m for m in head.modules() if isinstance(m, _BatchNorm)]
    assert [m.training for m in norms] == [not norm_eval] * 2
    assert all(p.requires_grad for p in head.parameters())


def test_refuses_a_dilation_of_zero():
    with pytest.raises(ValueError, match='dilation must be at least 1, found 0'):
        MODELS.build({**HEAD, 'dilation': 0})
