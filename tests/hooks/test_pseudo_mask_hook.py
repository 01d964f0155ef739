"""PseudoMaskHook: what is written, what is not run again, and refusal of others' masks."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmppc.storage import load_mask
from mmppc.storage.masks import mask_meta
from tests.hooks import seed_run

NAMES = [f'set {k % 2}/{k}' for k in range(seed_run.PICTURES)]


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(folder, *, gain=1.0, fail_at=None, **hook):
    """Test once; the figures, and the sample ids of the pictures that the network was run on."""
    log = folder / 'runs.txt'
    log.unlink(missing_ok=True)
    config = {
        'default_scope': 'mmseg',
        'model': {'type': 'EchoSegmentor', 'log': str(log), 'gain': gain},
        'work_dir': str(folder / 'work'),
        'test_dataloader': {
            'batch_size': 2,
            'num_workers': 0,
            'dataset': {'type': 'NumberedPictures'},
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'collate_fn': {'type': 'pseudo_collate'},
        },
        'test_evaluator': {'type': 'MaskMetric', 'split': 'train'},
        'test_cfg': {'type': 'TestLoop'},
        'default_hooks': {'masks': {'type': 'PseudoMaskHook', **hook}},
        'experiment_name': f'run-{np.random.default_rng().integers(1 << 62)}',
    }
    runner = Runner.from_cfg(Config(config))
    runner.model.fail_at = fail_at
    figures = runner.test()
    return figures, log.read_text().split('\n')[:-1] if log.is_file() else []


def masks(folder) -> dict:
    root = Path(folder) / 'work' / 'masks'
    return {
        path.relative_to(root).with_suffix('').as_posix(): load_mask(path, 4)
        for path in sorted(root.rglob('*.png'))
    }


def test_masks_are_the_predictions(tmp_path):
    figures, runs = run(tmp_path, meta={'walk': 64})
    assert runs == NAMES
    written = masks(tmp_path)
    assert sorted(written) == sorted(NAMES)
    for number, name in enumerate(NAMES):
        item = seed_run.NumberedPictures().prepare_data(number)
        scores = item['inputs'].numpy() * item['data_samples'].gt_tags.label.numpy()[:, None, None]
        best = np.where(scores.max(0) > np.float32(0.3), scores.argmax(0) + 1, 0)
        np.testing.assert_array_equal(written[name], best)
        assert mask_meta(tmp_path / 'work/masks' / f'{name}.png')['walk'] == 64
    report = json.loads((tmp_path / 'work/masks/masks.json').read_text())
    assert report['pictures'] == 7
    assert report['complete'] is True
    assert report['classes'] == list(seed_run.CLASSES)
    assert report['metrics']['mIoU'] == pytest.approx(figures['mIoU'])


def test_an_interrupted_run_continues_with_the_same_figures(tmp_path):
    (tmp_path / 'whole').mkdir()
    whole, _ = run(tmp_path / 'whole')
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, fail_at='/5')
    assert sorted(masks(tmp_path)) == sorted(NAMES[:4])
    report = json.loads((tmp_path / 'work/masks/masks.json').read_text())
    assert report['complete'] is False
    figures, runs = run(tmp_path)
    assert runs == NAMES[4:]
    assert figures == whole
    assert run(tmp_path) == (whole, [])


@pytest.mark.parametrize('change', [{'gain': 0.5}, {'meta': {'a': 1}}, {'overwrite': True}])
def test_masks_of_other_origin_are_made_again(tmp_path, change):
    run(tmp_path)
    assert run(tmp_path, **change)[1] == NAMES


def test_broken_masks_and_those_older_than_their_seed_are_made_again(tmp_path):
    seeds = tmp_path / 'seeds'
    for name in NAMES:
        path = seeds / f'{name}.npz'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'')
    run(tmp_path, seed_dir=str(seeds))
    assert run(tmp_path, seed_dir=str(seeds))[1] == []
    mask = tmp_path / 'work/masks' / f'{NAMES[1]}.png'
    mask.write_bytes(mask.read_bytes()[:60])
    newer = (tmp_path / 'work/masks' / f'{NAMES[4]}.png').stat().st_mtime + 5
    os.utime(seeds / f'{NAMES[4]}.npz', (newer, newer))
    assert run(tmp_path, seed_dir=str(seeds))[1] == [NAMES[1], NAMES[4]]


def test_masks_of_another_tool_are_not_written_over(tmp_path):
    folder = tmp_path / 'work/masks'
    folder.mkdir(parents=True)
    (folder / 'masks.json').write_text('{"threshold": 0.3}')
    with pytest.raises(FileExistsError, match='made_by'):
        run(tmp_path)
    assert run(tmp_path, overwrite=True)[1] == NAMES
    (folder / 'masks.json').unlink()
    (folder / f'{NAMES[3]}.png').write_bytes(b'a true mask')
    with pytest.raises(FileExistsError, match='found None'):
        run(tmp_path)
    assert (folder / f'{NAMES[3]}.png').read_bytes() == b'a true mask'
    (folder / 'masks.json').write_text('{')
    with pytest.raises(ValueError, match='not JSON'):
        run(tmp_path)
