"""What the options of tools/test.py make of a config."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.apis import MMSegInferencer
from PIL import Image

from mmppc.utils import runner

ROOT = Path(__file__).resolve().parents[2]


def read(name):
    cfg = runner.read_config(str(ROOT / 'configs' / f'{name}.py'), work_dir='work')
    init_default_scope(cfg.default_scope)
    return cfg


@pytest.mark.parametrize(
    ('name', 'tta', 'expected'),
    [
        ('cam_voc', True, dict(scales=[0.5, 1.0, 1.5, 2.0], flip=True)),
        ('cam_voc', False, dict(scales=[1.0], flip=False)),
        ('ppc_seam_toy', True, dict(scales=[1.0, 1.5], flip=True)),
        ('cam_laptop', True, dict(long_sides=[320, 512], flip=True)),
        ('cam_laptop', False, dict(long_sides=[320], flip=False)),
        (
            'deeplab-largefov_resnet38_voc',
            True,
            dict(scales=[0.5, 0.75, 1.0, 1.25, 1.5, 1.75], flip=True),
        ),
    ],
)
def test_augmentation_is_that_of_the_pipeline(name, tta, expected):
    cfg = read(name)
    if tta:
        runner.use_tta(cfg)
    assert runner.augmentation(cfg.test_dataloader.dataset.pipeline) == expected


def test_metrics_that_report_get_folder_conditions_and_split():
    cfg = read('cam_toy')
    cfg.test_evaluator[0].split = 'other'
    cfg.test_evaluator[0].conditions = dict(tta='given')
    runner.use_reports(cfg, dict(tta=True, flip=True))
    seeds, tags = cfg.test_evaluator
    assert seeds.conditions == dict(tta='given', flip=True)
    assert tags.conditions == dict(tta=True, flip=True)
    assert seeds.out_dir == tags.out_dir == 'work'
    assert seeds.split == tags.split == 'other'

    cfg = read('deeplab-largefov_resnet38_toy')
    runner.use_reports(cfg, dict(tta=False))
    assert cfg.test_evaluator.split == 'val'
    assert cfg.test_evaluator.out_dir == 'work'
    assert cfg.test_evaluator.conditions == dict(tta=False)

    cfg = Config(dict(work_dir='work', test_evaluator=dict(type='IoUMetric')))
    runner.use_reports(cfg, dict(tta=False))
    assert cfg.test_evaluator == dict(type='IoUMetric')


def test_predictions_are_written_whatever_the_metrics():
    cfg = read('deeplab-largefov_resnet38_toy')
    runner.use_out_dir(cfg, 'out')
    assert cfg.test_evaluator.output_dir == 'out'
    cfg = read('cam_toy')
    runner.use_out_dir(cfg, 'out')
    assert [item.type for item in cfg.test_evaluator] == ['SeedMetric', 'TagMetric', 'MaskMetric']
    assert cfg.test_evaluator[-1].output_dir == 'out'
    assert cfg.test_evaluator[-1].format_only


def test_drawing_runs_pictures_with_finished_seeds_again():
    cfg = read('cam_toy')
    runner.use_show_dir(cfg, 'shown')
    hook = next(item for item in cfg.custom_hooks if item.type == 'SeedGenerationHook')
    assert hook.overwrite
    assert cfg.default_hooks.visualization.draw
    assert cfg.visualizer.save_dir == 'shown'
    runner.use_show_dir(read('deeplab-largefov_resnet38_toy'), 'shown')  # no such hook


def test_drawing_is_refused_where_ranks_share_the_pictures():
    cfg = read('cam_toy')
    cfg.launcher = 'pytorch'
    with pytest.raises(ValueError, match=r'--show-dir draws in one process, .* found pytorch'):
        runner.use_show_dir(cfg, 'shown')


@pytest.mark.parametrize('tta', [False, True])
@pytest.mark.parametrize('name', ['resnet38_toy', 'resnet38_voc', 'efficientnet-lite0_laptop'])
def test_a_truncated_picture_is_named_whatever_the_pipeline(tmp_path, capsys, name, tta):
    path = tmp_path / 'cut.jpg'
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    cfg = read(f'deeplab-largefov_{name}')
    if tta:
        runner.use_tta(cfg)
    pipeline = Compose(cfg.test_dataloader.dataset.pipeline)
    assert pipeline({'img_path': str(path)})
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit), runner.user_errors():
        pipeline({'img_path': str(path)})
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith(f'error: {path}: not a picture that can be read, or truncated')


def test_the_inferencer_of_mmseg_finds_its_loader_and_reads_as_testing_does(tmp_path):
    path = str(tmp_path / 'a.png')
    noise = np.random.default_rng(0).integers(256, size=(32, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    cfg = read('deeplab-largefov_resnet38_toy')
    expected = Compose(cfg.test_pipeline)({'img_path': path})['inputs']
    pipeline = MMSegInferencer._init_pipeline(MMSegInferencer.__new__(MMSegInferencer), cfg)
    for given in (path, noise[..., ::-1].copy()):
        assert torch.equal(pipeline(given)['inputs'], expected)


def options(*given):
    parser = argparse.ArgumentParser()
    runner.add_common_arguments(parser)
    return parser.parse_args(['--cfg-options', *given]).cfg_options


def test_options_keep_the_spaces_of_a_path():
    found = options(
        'data_root=/data/my pictures, new', 'a.b=[1, 2]', 'c=(3, x)', 'd=1, 2', 'e=1e-3', 'f=g'
    )
    assert found == {
        'data_root': '/data/my pictures, new',
        'a.b': [1, 2],
        'c': (3, 'x'),
        'd': [1, 2],
        'e': 1e-3,
        'f': 'g',
    }
    assert options('data_root=Bilder für mich') == {'data_root': 'Bilder für mich'}
    paths = {'data_root': '/data/a,b', 'mask_dir': '007', 'seed_dir': '2020 08'}
    assert options(*(f'{key}={value}' for key, value in paths.items())) == paths


def test_an_option_without_a_value_is_refused(capsys):
    with pytest.raises(SystemExit):
        options('data_root')
    assert "found 'data_root', expected KEY=VALUE" in capsys.readouterr().err


def test_crops_that_would_be_padded_are_refused():
    path = str(ROOT / 'configs/ppc_seam_toy.py')
    crop = {'train_dataloader.dataset.pipeline.4.crop_size': 64}
    with pytest.raises(ValueError, match=r'crop_size=64 is smaller than .*size=\(112, 112\)'):
        runner.check_crops(runner.read_config(path, crop))
    with pytest.raises(ValueError, match='set both alike'):
        runner.check_crops(
            runner.read_config(path, {'train_dataloader.dataset.pipeline.4.crop_size': (112, 64)})
        )
    runner.check_crops(runner.read_config(path, {**crop, 'model.data_preprocessor.size': (64, 64)}))


@pytest.mark.parametrize(
    'path', sorted((ROOT / 'configs').glob('*.py')), ids=lambda path: path.stem
)
def test_no_config_pads_its_crops(path):
    runner.check_crops(runner.read_config(str(path)))
