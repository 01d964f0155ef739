"""Every config in the tree builds."""

from pathlib import Path

import pytest

from tests.config_builder import build_configs

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(path.relative_to(ROOT) for path in (ROOT / 'configs').glob('*.py'))
NAMED = {
    'cam_voc', 'cam_toy', 'cam_laptop', 'seam_voc', 'seam_toy', 'seam_laptop',
    'ppc_seam_voc', 'ppc_seam_toy', 'ppc_seam_laptop',
    'ppc_seam_voc_published', 'ppc_seam_toy_published', 'ppc_seam_laptop_published',
    'eps_voc', 'eps_toy', 'eps_laptop', 'ppc_eps_voc', 'ppc_eps_toy', 'ppc_eps_laptop',
    'ppc_eps_voc_published', 'ppc_eps_toy_published', 'ppc_eps_laptop_published',
    'deeplab-largefov_resnet38_voc', 'deeplab-largefov_resnet38_toy',
    'deeplab-largefov_efficientnet-lite0_laptop',
    'pretrain_parts', 'cam_parts', 'seam_parts', 'ppc_seam_parts', 'ppc_seam_parts_published',
    'cam_laptop_long', 'seam_laptop_long', 'ppc_seam_laptop_long', 'ppc_seam_laptop_long_published',
    'psa_voc', 'psa_voc_seam', 'psa_voc_psa', 'psa_toy', 'psa_laptop', 'irn_voc', 'irn_toy', 'irn_laptop',
}  # fmt: skip


@pytest.fixture(scope='module')
def built() -> dict[str, str | None]:
    return build_configs(CONFIGS)


def test_configs_named_in_the_readme_exist() -> None:
    assert len(CONFIGS) >= len(NAMED)
    assert {path.stem for path in CONFIGS} >= NAMED
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    for path in CONFIGS:
        assert path.name in readme


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_builds(path: Path, built: dict[str, str | None]) -> None:
    assert built[str(path)] is None, built[str(path)]


def test_retraining_averages_over_labelled_pixels() -> None:
    import torch
    import torch.nn.functional as F
    from mmseg.registry import MODELS

    from mmppc.utils.config_file import read_config

    torch.manual_seed(0)
    logits, labels = torch.randn(2, 7, 6, 6), torch.randint(7, (2, 6, 6))
    labels[:, :, 3:] = 255  # as where a crop is padded
    for path in CONFIGS:
        if path.stem.startswith('deeplab'):
            cfg = read_config(str(ROOT / path)).model.decode_head.loss_decode
            weight = torch.tensor(cfg.class_weight) if 'class_weight' in cfg else None
            expected = F.cross_entropy(logits, labels, weight, ignore_index=255)
            loss = MODELS.build(cfg)
            torch.testing.assert_close(loss(logits, labels, ignore_index=255), expected)


def test_overriding_a_path_moves_all_that_lies_below() -> None:
    from mmppc.utils.config_file import read_config

    path = str(ROOT / 'configs/deeplab-largefov_resnet38_voc.py')
    cfg = read_config(path, dict(data_root='/elsewhere', mask_dir='m'))
    dataset = cfg.train_dataloader.dataset
    assert dataset.data_prefix == dict(img_path='/elsewhere/JPEGImages', seg_map_path='m')
    assert dataset.ann_file == '/elsewhere/ImageSets/Segmentation/train_aug.txt'
    cfg = read_config(str(ROOT / 'configs/cam_laptop.py'), dict(tag_file='Annotations'))
    assert cfg.train_dataloader.dataset.tag_file == 'Annotations'
    assert cfg.test_dataloader.dataset.tag_file == 'Annotations'
    for options, expected in (
        (dict(data_root='/d'), '/d/Saliency'),
        (dict(data_root='/d', saliency_dir='/s'), '/s'),
    ):
        cfg = read_config(str(ROOT / 'configs/ppc_eps_voc.py'), options)
        loader = cfg.train_dataloader.dataset.pipeline[1]
        assert loader == dict(type='LoadSaliency', saliency_dir=expected)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_the_learning_rate_belongs_to_the_batch_of_the_config(path: Path) -> None:
    """So that --auto-scale-lr changes nothing of a config as it is."""
    from mmppc.utils.config_file import read_config

    cfg = read_config(str(ROOT / path))
    assert cfg.auto_scale_lr.base_batch_size == cfg.train_dataloader.batch_size


def test_each_affinity_config_of_voc_refines_the_seeds_of_its_method() -> None:
    from mmppc.utils.config_file import read_config

    for name, method in (('psa_voc', 'ppc_seam'), ('psa_voc_seam', 'seam'), ('psa_voc_psa', 'cam')):
        path = str(ROOT / f'configs/{name}.py')
        for seeds, options in ((f'work_dirs/{method}_voc/seeds', {}), ('s', {'seed_dir': 's'})):
            cfg = read_config(path, options)
            assert cfg.default_hooks.labels.seed_dir == cfg.default_hooks.masks.seed_dir == seeds
            assert cfg.test_dataloader.dataset.pipeline[1] == dict(type='LoadSeed', seed_dir=seeds)
