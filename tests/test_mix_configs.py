"""Parts of this package in other networks and the other way round: every config builds and does two steps."""

from pathlib import Path

import pytest
import torch

from mmppc.datasets import draw_toy_set
from mmppc.storage import load_seed
from mmppc.utils.config_file import read_config
from mmppc.utils.runner import build_runner, use_tta
from tests.config_builder import build_configs

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / 'configs/mix').glob('*.py'))
NAMED = {
    'psp_resnet38_voc', 'ppc_seam_resnet50_voc', 'ppc_seam_convnext-tiny_voc', 'ppc_seam_deit-small_voc',
    'deeplabv3_resnet50_voc', 'deeplabv3_resnet50_contrast_voc', 'seeds_deeplabv3_resnet50_voc',
}  # fmt: skip

# What makes each network small enough; the rest is as in its config.
SMALL = {
    'psp_resnet38_voc': {
        'model.backbone.base_channels': 4,
        'model.backbone.depths': (1, 1, 1, 1),
        'model.decode_head.in_channels': 256,
        'model.decode_head.channels': 16,
        'model.decode_head.pool_scales': (1, 2),
    },
    'ppc_seam_resnet50_voc': {'model.view.size': (48, 48)},
    'ppc_seam_convnext-tiny_voc': {
        'model.backbone.arch': 'atto',
        'model.neck.in_channels': 320,
        'model.decode_head.in_channels': 320,
        'model.decode_head.refine.in_channels': (80, 160),
        'model.view.size': (48, 48),
    },
    'ppc_seam_deit-small_voc': {
        'model.backbone.arch': 'deit-tiny',
        'model.neck.in_channels': 192,
        'model.decode_head.in_channels': 192,
        'model.decode_head.refine.in_channels': (192, 192),
        'model.view.size': (48, 48),
    },
    'deeplabv3_resnet50_contrast_voc': {
        'model.backbone.depth': 18,
        'model.decode_head.in_channels': 512,
        'model.decode_head.channels': 16,
        'model.auxiliary_head.in_channels': 512,
        'model.auxiliary_head.channels': 16,
        'model.auxiliary_head.num_classes': 7,
        'model.auxiliary_head.topk': 8,
    },
}
SMALL['deeplabv3_resnet50_voc'] = {
    key: value
    for key, value in SMALL['deeplabv3_resnet50_contrast_voc'].items()
    if 'auxiliary' not in key
}
SMALL['seeds_deeplabv3_resnet50_voc'] = SMALL['deeplabv3_resnet50_voc']
LOSSES = {
    'psp_resnet38_voc': {'decode.loss_ce'},
    'deeplabv3_resnet50_voc': {'decode.loss_ce'},
    'deeplabv3_resnet50_contrast_voc': {'decode.loss_ce', 'aux.loss_intra'},
}
CAM_LOSSES = {
    'loss_tags', 'loss_er', 'loss_ecr', 'loss_min_pool',
    'loss_cross_prototype', 'loss_cross_cam', 'loss_intra',
}  # fmt: skip


def named(names):
    return pytest.mark.parametrize('name', sorted(names))


def test_all_are_here_and_in_the_page() -> None:
    assert {path.stem for path in CONFIGS} == NAMED == set(SMALL)
    page = (ROOT / 'docs/mixing.md').read_text(encoding='utf-8')
    for name in NAMED:
        assert f'`{name}.py`' in page


def test_all_build() -> None:
    assert build_configs(CONFIGS) == {str(path): None for path in CONFIGS}


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    return draw_toy_set(
        tmp_path_factory.mktemp('data') / 'toy', num_train=6, num_val=2, size=96, seed=3
    )


def small_config(name, toy, work_dir):
    """A config on the toy set, by the options a user would give; ImageNet weights are left out."""
    options = {
        'data_root': str(toy),
        'model.data_preprocessor.size': (64, 64),
        'model.backbone.init_cfg': None,
        'model.decode_head.num_classes': 7,
        'train_cfg.max_iters': 2,
        'param_scheduler.0.end': 4,
        'default_hooks.logger.interval': 1,
        'experiment_name': f'mix_{name}',
    }
    for split, listing in (('train', 'train'), ('test', 'train')):
        loader = f'{split}_dataloader'
        options[f'{loader}.num_workers'] = 0
        options[f'{loader}.persistent_workers'] = False
        options[f'{loader}.dataset.ann_file'] = str(toy / f'ImageSets/Segmentation/{listing}.txt')
        options[f'{loader}.dataset.metainfo'] = None
        options[f'{loader}.dataset.classes_file'] = str(toy / 'classes.txt')
    options['train_dataloader.batch_size'] = 2
    options['train_dataloader.dataset.data_prefix.seg_map_path'] = str(toy / 'SegmentationClass')
    if name.startswith('ppc'):
        options['train_dataloader.dataset.pipeline.1'] = dict(low=64, high=80)
        options['train_dataloader.dataset.pipeline.4.crop_size'] = 64
        for split in ('train', 'test'):
            options[f'{split}_dataloader.dataset.tag_file'] = str(toy / 'tags.csv')
    else:
        options['train_dataloader.dataset.pipeline.5.crop_size'] = 64
    if name.startswith('seeds'):
        options['test_dataloader.dataset.tag_file'] = str(toy / 'tags.csv')
    cfg = read_config(
        str(ROOT / f'configs/mix/{name}.py'), {**options, **SMALL[name]}, str(work_dir)
    )
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    return cfg


@pytest.mark.slow
@named(NAMED - {'seeds_deeplabv3_resnet50_voc'})
def test_two_steps_of_training(name, toy, tmp_path):
    runner = build_runner(small_config(name, toy, tmp_path))
    runner.model.init_weights()
    before = {key: value.clone() for key, value in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 2
    logged = {
        key.removeprefix('train/')
        for key in runner.message_hub.log_scalars
        if 'loss' in key and key != 'train/loss'
    }
    assert logged == LOSSES.get(name, CAM_LOSSES)
    learnt = {key for key, value in runner.model.named_parameters() if (value != before[key]).any()}
    assert all(value.isfinite().all() for value in runner.model.parameters())
    for part in ('backbone', 'decode_head', 'neck', 'auxiliary_head'):
        if hasattr(runner.model, part) and getattr(runner.model, part) is not None:
            assert any(key.startswith(part) for key in learnt), part


@pytest.mark.slow
@named({name for name in NAMED if name.startswith('ppc')})
def test_seeds_of_foreign_backbones_at_odd_sizes(name, toy, tmp_path):
    cfg = small_config(name, toy, tmp_path)
    cfg.custom_hooks = [dict(type='SeedGenerationHook', out_dir=str(tmp_path / 'seeds'))]
    use_tta(cfg)
    figures = build_runner(cfg).test()
    assert figures['seed/pictures'] == 6
    seeds = [load_seed(path) for path in (tmp_path / 'seeds').glob('*.npz')]
    assert len(seeds) == 6
    assert all(0 <= seed.scores.min() <= seed.scores.max() <= 1 for seed in seeds)


@pytest.mark.slow
def test_seeds_under_a_foreign_segmentor(toy, tmp_path):
    cfg = small_config('seeds_deeplabv3_resnet50_voc', toy, tmp_path)
    use_tta(cfg)
    cfg.custom_hooks[0]['out_dir'] = str(tmp_path / 'seeds')
    first = build_runner(cfg.copy())
    torch.manual_seed(0)
    first.model.module.init_weights()
    torch.save(first.model.module.state_dict(), tmp_path / 'weights.pth')
    figures = first.test()
    assert figures['seed/pictures'] == 6
    seeds = {path.stem: load_seed(path) for path in (tmp_path / 'seeds').glob('*.npz')}
    assert len(seeds) == 6
    tags = {info['sample_id']: info['tags'] for info in map(
        first.test_dataloader.dataset.get_data_info, range(6))}  # fmt: skip
    for name, seed in seeds.items():
        assert (seed.classes == tags[name].nonzero()[0] + 1).all()
        assert 0 < seed.scores.max() <= 1
        assert seed.meta['background'] == 0.5

    # Started again, nothing is run, and the figures come from the files.
    cfg.experiment_name += '_again'
    second = build_runner(cfg)
    second.model.module.load_state_dict(torch.load(tmp_path / 'weights.pth', weights_only=True))
    assert second.test() == figures
    assert len(second.test_loop.dataloader) == 0
