"""EPS and PPC on EPS by tools/train.py, cut to two iterations on the toy set."""

import pytest

from mmppc.datasets.toy import draw_toy_set
from tests.tools.tiny import ROOT, read_losses, run_tool

SEAM = {'loss_er', 'loss_ecr', 'loss_min_pool', 'loss_saliency_refined'}
CONTRAST = {'loss_cross_prototype', 'loss_cross_cam', 'loss_intra'}
TERMS = {
    'eps': {'loss_tags', 'loss_saliency'},
    'ppc_eps': {'loss_tags', 'loss_saliency'} | CONTRAST,
    'ppc_eps_published': {'loss_tags', 'loss_saliency'} | CONTRAST | SEAM,
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('eps')
    draw_toy_set(folder / 'toy', num_train=8, num_val=2, size=96)
    return folder


def train(folder, name, *options):
    config = ROOT / 'configs' / (name.replace('eps', 'eps_toy') + '.py')
    arguments = [
        *('--work-dir', str(folder / name), '--cfg-options', f'data_root={folder / "toy"}'),
        *('train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'param_scheduler.0.end=3'),
        *('default_hooks.logger.interval=1', 'train_dataloader.batch_size=4'),
        *('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False'),
        *('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False'),
        *options,
    ]
    return run_tool(folder / 'none.py', 'train', str(config), *arguments)


@pytest.mark.slow
@pytest.mark.parametrize('name', list(TERMS))
def test_two_iterations(folder, name):
    done = train(folder, name)
    assert done.returncode == 0, done.stderr[-3000:]
    losses = read_losses(folder / name)
    assert set(losses) == {1, 2}
    for row in losses.values():
        assert set(row) == TERMS[name] | {'loss'}
        assert row['loss'] == pytest.approx(sum(row[term] for term in TERMS[name]), rel=1e-3)
        assert 0 < row['loss_saliency'] < 1
    assert 'seed/mIoU' in done.stdout + done.stderr


@pytest.mark.slow
def test_missing_saliency_maps_are_named(folder):
    done = train(folder, 'eps', f'saliency_dir={folder / "none"}')
    assert done.returncode == 2
    assert 'no such saliency map; set saliency_dir' in done.stderr
    assert 'Traceback' not in done.stderr
