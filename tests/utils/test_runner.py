"""What tools/train.py and tools/test.py make of a config."""

import os

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmseg.apis import MMSegInferencer
from PIL import Image

from mmppc.utils import runner
from tests.utils.shipped import read


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


def test_the_inferencer_of_mmseg_finds_its_loader_and_reads_as_testing_does(tmp_path):
    path = str(tmp_path / 'a.png')
    noise = np.random.default_rng(0).integers(256, size=(32, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    cfg = read('deeplab-largefov_resnet38_toy')
    expected = Compose(cfg.test_pipeline)({'img_path': path})['inputs']
    pipeline = MMSegInferencer._init_pipeline(MMSegInferencer.__new__(MMSegInferencer), cfg)
    for given in (path, noise[..., ::-1].copy()):
        assert torch.equal(pipeline(given)['inputs'], expected)


def test_distribution_on_cpus_needs_torchrun(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(os.environ, 'LOCAL_RANK', '0')
    with pytest.raises(ValueError, match='torchrun sets; missing: RANK, WORLD_SIZE, MASTER_ADDR'):
        runner.prepare_launcher(Config(), 'pytorch')
    with pytest.raises(ValueError, match='slurm needs GPUs'):
        runner.prepare_launcher(Config(), 'slurm')


def test_a_scope_is_found_anywhere_in_a_config():
    assert runner._names_scope(dict(model=dict(a=[dict(type='mmpretrain.ResNet')])), 'mmpretrain.')
    assert not runner._names_scope(dict(type='ResNet', a=('mmpretrain.x',)), 'mmpretrain.')


def test_without_a_checkpoint_resuming_starts_from_the_beginning(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = Config(dict(work_dir='fresh', load_from='pretrained.pth'))
    runner.use_resume(cfg, 'auto')
    assert (
        'No checkpoint in fresh yet: training starts from the beginning.' in capsys.readouterr().out
    )
    assert cfg.to_dict() == dict(work_dir='fresh', load_from='pretrained.pth')


def test_resuming_takes_the_seed_that_the_run_had_drawn(tmp_path):
    torch.save(dict(state_dict={}, meta=dict(seed=17)), tmp_path / 'iter_5.pth')
    cfg = Config(dict(work_dir=str(tmp_path), randomness=dict(seed=None, deterministic=True)))
    runner.use_resume(cfg, 'auto')
    assert cfg.randomness == dict(seed=17, deterministic=True)
    assert cfg.load_from == str(tmp_path / 'iter_5.pth')


def test_an_earlier_training_is_spoken_of_once_whatever_the_number_of_ranks(
    tmp_path, capsys, monkeypatch
):
    (tmp_path / 'old').mkdir()
    torch.save(dict(state_dict={}, meta={}), tmp_path / 'old/iter_5.pth')
    monkeypatch.chdir(tmp_path)

    def said(rank, launcher, work_dir, resume=None):
        monkeypatch.setenv('RANK', rank)
        runner.use_resume(Config(dict(work_dir=work_dir, launcher=launcher)), resume)
        return ''.join(capsys.readouterr())

    assert 'old holds checkpoints of an earlier training' in said('0', 'pytorch', 'old')
    assert said('1', 'pytorch', 'old') == ''
    assert 'the last is iter_5.pth' in said('1', 'none', 'old')  # of something else around it
    assert 'starts from the beginning' in said('0', 'pytorch', 'fresh', 'auto')
    assert said('1', 'pytorch', 'fresh', 'auto') == ''
