"""PSA and IRN from seeds to pseudo masks by tools/train.py and tools/test.py, cut short, on awkward pictures too."""

import json

import numpy as np
import pytest
from PIL import Image

from mmppc.datasets.toy import draw_toy_set
from mmppc.storage.masks import load_mask, mask_meta
from mmppc.storage.seeds import save_seed
from tests.tools.tiny import ROOT, run_tool

# Sizes that break code made for VOC, and modes that are not RGB.
AWKWARD = {
    'one pixel': ((1, 1), 'RGB', (1,)),
    'a strip': ((7, 300), 'RGB', (2,)),
    'no tag': ((40, 60), 'RGB', ()),
    'full of one class': ((50, 40), 'RGB', (3,)),
    'grey': ((60, 70), 'L', (1, 4)),
    'cmyk': ((60, 70), 'CMYK', (5,)),
}


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """The toy set, awkward pictures in its training list, and seeds made of the truth and of noise."""
    folder = tmp_path_factory.mktemp('stages')
    data = draw_toy_set(folder / 'toy', num_train=8, num_val=2, size=96)
    listing = data / 'ImageSets/Segmentation/train.txt'
    names = listing.read_text().split()
    draw = np.random.default_rng(0)
    for name in names:
        truth = load_mask(data / 'SegmentationClass' / f'{name}.png')
        classes = np.setdiff1d(np.unique(truth), (0, 255))
        scores = 0.6 * (truth == classes[:, None, None]) + 0.3 * draw.random((1, *truth.shape))
        save_seed(folder / 'seeds' / f'{name}.npz', scores, classes, num_classes=7)
    for name, (size, mode, classes) in AWKWARD.items():
        pixels = draw.integers(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(pixels).convert(mode).save(data / 'JPEGImages' / f'{name}.jpg')
        scores = draw.random((len(classes), *size))
        if name == 'full of one class':
            scores = np.ones((1, *size))
        save_seed(folder / 'seeds' / f'{name}.npz', scores, np.array(classes), num_classes=7)
    listing.write_text('\n'.join([*names, *AWKWARD]) + '\n')
    return folder, names


def options(folder, method: str, iters: int) -> list[str]:
    return [
        '--cfg-options',
        f'data_root={folder / "toy"}',
        f'seed_dir={folder / "seeds"}',
        f'train_cfg.max_iters={iters}',
        f'param_scheduler.0.end={iters + 1}',
        f'default_hooks.checkpoint.interval={iters}',
        'default_hooks.logger.interval=1',
        'train_dataloader.batch_size=4',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
        'default_hooks.labels.workers=0',
        'model.test_cfg.radius=2',
        'model.test_cfg.log_steps=0',
    ]


@pytest.mark.slow
@pytest.mark.parametrize('method', ['psa', 'irn'])
def test_from_seeds_to_masks(world, method):
    folder, names = world
    config = str(ROOT / 'configs' / f'{method}_toy.py')
    work = folder / method
    (folder / 'here').mkdir(exist_ok=True)
    here = folder / 'here' / 'none.py'  # the tools run beside it
    given = options(folder, method, 3)
    done = run_tool(here, 'train', config, '--work-dir', str(work), *given)
    assert done.returncode == 0, done.stderr[-3000:]
    labels = json.loads((work / 'labels' / 'labels.json').read_text())
    assert labels['complete'] is True
    assert labels['pictures'] == len(names) + len(AWKWARD)
    suffix = 'npz' if method == 'psa' else 'png'
    assert len(list((work / 'labels').glob(f'*.{suffix}'))) == len(names) + len(AWKWARD)

    test = ['test', config, str(work / 'iter_3.pth'), '--work-dir', str(work), *given]
    done = run_tool(here, *test)
    assert done.returncode == 0, done.stderr[-3000:]
    masks = work / 'masks'
    for name, (size, _, classes) in AWKWARD.items():
        mask = load_mask(masks / f'{name}.png', 7)
        assert mask.shape == size
        assert set(np.unique(mask)) <= {0, *classes}
    assert (load_mask(masks / 'full of one class.png') == 3).all()
    assert mask_meta(masks / f'{names[0]}.png')['checkpoint'] == 'iter_3.pth'
    report = json.loads((masks / 'masks.json').read_text())
    figure = json.loads((work / 'mask_metric_train.json').read_text())
    assert report['metrics']['mIoU'] == pytest.approx(figure['mIoU'], abs=0.01)
    assert figure['pictures'] == len(names)
    # The seeds hold the truth, and one step to the next cells does not spoil them, whatever the network has learned.
    assert figure['mIoU'] > 50

    # Again: nothing is left to do, and the figures are the same.
    (work / 'mask_metric_train.json').unlink()
    before = {path: path.stat().st_mtime_ns for path in masks.glob('*.png')}
    done = run_tool(here, *test)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f'{len(names) + len(AWKWARD)} of {len(names) + len(AWKWARD)} pictures' in done.stdout
    assert {path: path.stat().st_mtime_ns for path in masks.glob('*.png')} == before
    assert json.loads((work / 'mask_metric_train.json').read_text())['mIoU'] == figure['mIoU']


@pytest.mark.slow
def test_seeds_that_are_missing_are_named_before_training(world):
    folder, _ = world
    config = str(ROOT / 'configs' / 'psa_toy.py')
    given = [*options(folder, 'missing', 3), f'seed_dir={folder / "none"}']
    here = folder / 'here' / 'none.py'
    here.parent.mkdir(exist_ok=True)
    done = run_tool(here, 'train', config, '--work-dir', str(folder / 'missing'), *given)
    assert done.returncode == 2
    assert 'none: no such folder of seeds' in done.stderr
    assert 'tools/test.py' in done.stderr
    assert 'Traceback' not in done.stderr
