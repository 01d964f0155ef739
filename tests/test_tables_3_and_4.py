"""Every row of Tables 3 and 4 that the paper trained or builds on is a config: network, schedule, optimizer, test."""

from pathlib import Path

import pytest
import torch
from mmengine.optim import PolyLR, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmppc.utils.config_file import read_config
from mmppc.utils.runner import use_tta
from mmppc.utils.transform_lists import augmentation

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
# Row: config, folder of the masks, head, backbone.
ROWS = {
    'Table 3, SEAM, ResNet38': (
        'deeplab-largefov_resnet38_voc_seam', 'psa_voc_seam', 'LargeFOVHead', 'ResNet38'),
    'Table 3, Ours w/ SEAM, ResNet38': (
        'deeplab-largefov_resnet38_voc', 'psa_voc', 'LargeFOVHead', 'ResNet38'),
    'Table 3, EPS, ResNet101': (
        'deeplab-largefov_resnet101_voc_eps', 'eps_voc', 'LargeFOVHead', 'ResNetV1c'),
    'Table 3, Ours w/ EPS, ResNet101': (
        'deeplab-largefov_resnet101_voc', 'ppc_eps_voc', 'LargeFOVHead', 'ResNetV1c'),
    'Table 3, Ours w/ EPS, ResNet101, published stem': (
        'deeplab-largefov_resnet101_voc_published', 'ppc_eps_voc', 'LargeFOVHead', 'ResNetV1c'),
    'Table 4, EPS, ResNet101': (
        'deeplab-aspp_resnet101_voc_eps', 'eps_voc', 'SumASPPHead', 'ResNetV1c'),
    'Table 4, Ours w/ EPS, ResNet101, classic head': (
        'deeplab-aspp_resnet101_voc', 'ppc_eps_voc', 'SumASPPHead', 'ResNetV1c'),
    'Table 4, Ours w/ EPS, ResNet101': (
        'deeplab-aspp_resnet101_voc_published', 'ppc_eps_voc', 'ConcatASPPHead', 'ResNetV1c'),
}  # fmt: skip
HEAD_MILLIONS = {
    ('LargeFOVHead', 'ResNet38'): 19.1,
    ('LargeFOVHead', 'ResNetV1c'): 9.7,
    ('SumASPPHead', 'ResNetV1c'): 1.5,
    ('ConcatASPPHead', 'ResNetV1c'): 19.7,
}


def read(config):
    cfg = read_config(str(CONFIGS / f'{config}.py'))
    init_default_scope(cfg.default_scope)
    return cfg


@pytest.fixture(params=ROWS, ids=str)
def row(request):
    config, masks, head, backbone = ROWS[request.param]
    cfg = read(config)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    return cfg, model, masks, head, backbone


def test_network(row):
    _, model, _, head, backbone = row
    assert type(model.backbone).__name__ == backbone
    assert type(model.decode_head).__name__ == head
    parameters = sum(p.numel() for p in model.decode_head.parameters())
    assert round(parameters / 1e6, 1) == HEAD_MILLIONS[head, backbone]
    assert model.decode_head.align_corners
    assert model.decode_head.num_classes == 21
    taps = model.backbone(torch.empty(2, 3, 65, 81, device='meta'))
    assert [tap.shape for tap in taps] == [(2, model.decode_head.in_channels, 9, 11)]
    assert model.decode_head(taps).shape == (2, 21, 9, 11)


def test_resnet101_is_dilated_as_published(row):
    cfg, model, _, _, backbone = row
    if backbone != 'ResNetV1c':
        pytest.skip('ResNet38')
    found = [
        [block.conv2.dilation[0] for block in getattr(model.backbone, f'layer{k}')]
        for k in (1, 2, 3, 4)
    ]
    assert found == [[1] * 3, [1] * 4, [1] + [2] * 22, [2] + [4] * 2]
    stem = [m.out_channels for m in model.backbone.stem if isinstance(m, nn.Conv2d)]
    weights = cfg.model.backbone.init_cfg
    if 'published' in Path(cfg.filename).stem:
        assert stem == [64, 64, 128]
        expected = dict(checkpoint='pretrained/resnet101s.pth', prefix='backbone.')
    else:
        assert stem == [32, 32, 64]
        expected = dict(checkpoint='open-mmlab://resnet101_v1c')
    assert weights == dict(type='Pretrained', **expected)


def test_norms_run_on_batch_statistics_with_resting_affine(row):
    _, model, _, head, backbone = row
    model.train()
    norms = {n: m for n, m in model.named_modules() if isinstance(m, _BatchNorm)}
    assert norms
    assert all(norm.training for norm in norms.values())
    assert not any(p.requires_grad for norm in norms.values() for p in norm.parameters())
    momentum = {name.split('.')[0]: norm.momentum for name, norm in norms.items()}
    expected = {'backbone': 3e-4 if backbone == 'ResNet38' else 0.1, 'decode_head': 3e-4}
    if head == 'SumASPPHead':
        del expected['decode_head']
    assert momentum == expected
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert all(p.requires_grad for conv in convs for p in conv.parameters())  # nothing is frozen


def test_optimizer_groups(row):
    cfg, model, _, head, _ = row
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    assert isinstance(optimizer, torch.optim.SGD)
    settings = {
        id(p): (group['lr'], group['weight_decay'], group['momentum'])
        for group in optimizer.param_groups
        for p in group['params']
    }
    named = dict(model.named_parameters())
    convs = {
        f'{name}.{leaf}': p
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d)
        for leaf, p in module.named_parameters()
    }
    assert settings.keys() == {id(p) for p in convs.values()}  # convolutions only
    kinds = {'backbone': set(), 'weight': set(), 'bias': set()}
    for name in convs:
        kind = 'backbone' if name.startswith('backbone.') else name.rpartition('.')[2]
        kinds[kind].add(settings[id(named[name])])
    assert kinds == {
        'backbone': {(1e-3, 5e-4, 0.9)},
        'weight': {(1e-2, 5e-4, 0.9)},
        'bias': {(2e-2, 0.0, 0.9)},
    }
    biases = [name for name in convs if name.endswith('bias')]
    assert len(biases) == (4 if head == 'SumASPPHead' else 1)


def test_schedule_and_data(row):
    cfg, _, masks, _, _ = row
    assert cfg.train_cfg.max_iters == 20000
    assert cfg.train_dataloader.batch_size == 10
    prefix = cfg.train_dataloader.dataset.data_prefix
    assert cfg.mask_dir == prefix.seg_map_path == f'work_dirs/{masks}/masks'
    crop = next(t for t in cfg.train_dataloader.dataset.pipeline if t.type == 'RandomCropPad')
    assert crop.crop_size == 448
    use_tta(cfg)
    assert cfg.model.type == 'LogitTTAModel'
    expected = dict(scales=[0.5, 0.75, 1.0, 1.25, 1.5, 1.75], flip=True)
    assert augmentation(cfg.test_dataloader.dataset.pipeline) == expected
    moved = read_config(cfg.filename, dict(mask_dir='other'))
    assert moved.train_dataloader.dataset.data_prefix.seg_map_path == 'other'


def test_learning_rate_is_the_published_one_at_every_step():
    (cfg,) = read('deeplab-largefov_resnet101_voc').param_scheduler
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1e-3)
    scheduler = PolyLR(optimizer, **{k: v for k, v in cfg.items() if k != 'type'})
    for step in range(20000):
        expected = 1e-3 * (1 - step / 20001) ** 0.9
        assert optimizer.param_groups[0]['lr'] == pytest.approx(expected, rel=1e-9), step
        optimizer.step()
        scheduler.step()
