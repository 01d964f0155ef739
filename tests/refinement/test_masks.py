"""Pseudo masks: thresholds, CRF, continuing, records, and the command line tool."""

import contextlib
import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmppc.functional.dense_crf import crf_from_labels, crf_from_probabilities
from mmppc.functional.pamr import pixel_adaptive_refinement
from mmppc.functional.sweep import confusion_iou, sweep_confusion, sweep_histogram
from mmppc.pipeline.stage_process import STEP
from mmppc.refinement import PictureRecord, make_pseudo_masks
from mmppc.refinement.masks import seed_labels
from mmppc.storage import Seed, load_mask, load_seed, read_picture, save_mask, save_seed

CLASSES = ('background', 'cat', 'dog')
PALETTE = ((0, 0, 0), (128, 0, 0), (0, 128, 0))
TOOL = Path(__file__).parents[2] / 'tools' / 'make_masks.py'


@pytest.fixture
def world(tmp_path):
    """Four pictures with seeds and truth; number 2 has no tag, number 3 no truth."""
    records = []
    for number in range(4):
        draw = np.random.default_rng(number)
        size = (16, 20 + number)
        truth = np.zeros(size, np.uint8)
        truth[3:12, 4:15] = 0 if number == 2 else 1 + number % 2
        truth[0] = 255
        name = f'set/{number}'
        for folder in ('JPEGImages/set', 'truth/set'):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        image = np.stack([truth * 50 + 30] * 3, axis=-1) + draw.integers(0, 9, (*size, 3))
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / f'JPEGImages/{name}.png')
        if number != 3:
            save_mask(tmp_path / f'truth/{name}.png', truth, PALETTE)
        classes = np.unique(truth)[1:-1]
        scores = 0.5 * (truth == classes[:, None, None]) + 0.5 * draw.random((len(classes), *size))
        save_seed(tmp_path / f'seeds/{name}.npz', scores, classes, num_classes=3)
        path = tmp_path / f'truth/{name}.png'
        records.append(
            PictureRecord(
                name, f'{tmp_path}/JPEGImages/{name}.png', str(path) if number != 3 else None
            )
        )
    return records


def make(records, folder, **change):
    given = {
        'seed_dir': folder / 'seeds',
        'out_dir': folder / 'masks',
        'threshold': 0.3,
        'classes': CLASSES,
        'palette': PALETTE,
        'method': 'none',
        'workers': 0,
        **change,
    }
    return make_pseudo_masks(records, **given)


def masks(folder):
    return {path.stem: load_mask(path, 3) for path in sorted((folder / 'masks/set').iterdir())}


def test_masks_are_the_argmax_with_the_threshold(world, tmp_path):
    report = make(world, tmp_path, threshold_source='best on train')
    found = masks(tmp_path)
    assert list(found) == ['0', '1', '2', '3']
    histograms = []
    for record, mask in zip(world, found.values()):
        dense = load_seed(tmp_path / f'seeds/{record.sample_id}.npz').dense()
        dense[0] = 0.3
        assert np.array_equal(mask, dense.argmax(axis=0))
        if record.truth_path:
            truth = load_mask(record.truth_path)
            histograms.append(sweep_histogram(dense[1:], truth, num_classes=3))
    assert not found['2'].any()
    # The figures are those that SeedMetric gives the seeds at this threshold.
    iou = confusion_iou(sweep_confusion(histograms))[30]
    expected = {name: round(100 * value, 2) for name, value in zip(CLASSES, iou)}
    assert report == {
        'threshold': 0.3,
        'threshold_source': 'best on train',
        'refine': 'none',
        'crf': 'none',
        'classes': list(CLASSES),
        'pictures': 4,
        'written': 4,
        'evaluated': 3,
        'mIoU': round(100 * iou.mean(), 2),
        'IoU': expected,
        'seeds': {'weights': None, 'settings': None},
        'complete': True,
    }
    assert json.loads((tmp_path / 'masks/masks.json').read_text()) == report
    with Image.open(tmp_path / 'masks/set/0.png') as picture:
        assert picture.mode == 'P'
        assert picture.getpalette()[:9] == [value for colour in PALETTE for value in colour]


def test_ties_go_to_the_background_and_the_lowest_class():
    scores = np.array([[[0.26, 0.5, 0.2]], [[0.1, 0.5, 0.3]]], np.float32)
    assert seed_labels(Seed(scores, np.array([2, 5]), 6), 0.26).tolist() == [[0, 2, 5]]


@pytest.mark.parametrize('workers', [0, 1])
def test_crf(world, tmp_path, workers):
    pytest.importorskip('pydensecrf')
    rough = make(world, tmp_path, out_dir=tmp_path / 'rough')
    refined = make(world, tmp_path, method='densecrf', workers=workers)
    for record, mask in zip(world, masks(tmp_path).values()):
        image = np.array(Image.open(record.img_path))
        labels = load_mask(tmp_path / f'rough/{record.sample_id}.png')
        assert np.array_equal(mask, crf_from_labels(image, labels, 3, 'seed'))
    assert refined['mIoU'] > rough['mIoU'] + 5
    assert (refined['refine'], refined['crf']) == ('densecrf', 'seed')


def test_pamr(world, tmp_path):
    rough = make(world, tmp_path, out_dir=tmp_path / 'rough')
    refined = make(world, tmp_path, method='pamr', workers=0)
    for record, mask in zip(world, masks(tmp_path).values()):
        seed = load_seed(tmp_path / f'seeds/{record.sample_id}.npz')
        expected = np.zeros(seed.size, int)
        if len(seed.classes):
            scores = np.concatenate([np.full((1, *seed.size), 0.3, np.float32), seed.scores])
            image = torch.tensor(read_picture(record.img_path)).permute(2, 0, 1).float()
            smooth = pixel_adaptive_refinement(image, torch.tensor(scores))
            expected = np.append(0, seed.classes)[smooth.argmax(dim=0).numpy()]
        assert np.array_equal(mask, expected)
    assert refined['mIoU'] > rough['mIoU'] + 5
    assert (refined['refine'], refined['crf']) == ('pamr', 'none')
    with pytest.raises(FileExistsError, match=r"field refine: .* made with 'pamr', not 'none'"):
        make(world, tmp_path, method='none')


def test_soft_presets_take_the_scores(world, tmp_path):
    pytest.importorskip('pydensecrf')
    make(world, tmp_path, method='densecrf', crf='psa')
    seed = load_seed(tmp_path / 'seeds/set/0.npz')
    scores = np.concatenate([np.full((1, *seed.size), 0.3, np.float32), seed.scores])
    marginals = crf_from_probabilities(read_picture(world[0].img_path), scores, 'psa')
    assert np.array_equal(masks(tmp_path)['0'], np.append(0, seed.classes)[marginals.argmax(0)])


def test_no_processes_beside_a_gpu(world, tmp_path, monkeypatch):
    asked = []

    def note(job, records, *, workers, **_):
        asked.append((job.device, workers))
        return {}

    monkeypatch.setattr('mmppc.refinement.masks.run_folder_job', note)
    for method in ('none', 'pamr'):
        for device in ('cpu', 'cuda:0'):
            make(world, tmp_path, method=method, device=device, workers=3)
    assert asked == [('cpu', 3), ('cuda:0', 3), ('cpu', 3), ('cuda:0', 0)]


@pytest.mark.parametrize('method', ['densecrf', 'pamr'])
@pytest.mark.parametrize('size', [(1, 1), (7, 300)])
@pytest.mark.parametrize('mode', ['L', 'CMYK'])
def test_sizes_and_colours(tmp_path, method, size, mode):
    if method == 'densecrf':
        pytest.importorskip('pydensecrf')
    left = np.arange(size[1]) * 2 < size[1]
    grey = np.broadcast_to(np.where(left, 30, 220).astype(np.uint8), size)
    Image.fromarray(np.stack([grey] * 3, axis=-1)).convert(mode).save(tmp_path / 'a.tif')
    scores = np.broadcast_to(np.where(left, 0.9, 0), (1, *size))
    save_seed(tmp_path / 'seeds/a.npz', scores, [2], num_classes=3)
    make([PictureRecord('a', str(tmp_path / 'a.tif'))], tmp_path, method=method)
    assert (load_mask(tmp_path / 'masks/a.png') == np.where(left, 2, 0)).all()


def test_continues_where_it_stopped(world, tmp_path):
    first = make(world, tmp_path)
    kept, gone, old = (tmp_path / f'masks/set/{number}.png' for number in (0, 1, 2))
    stamp = kept.stat().st_mtime_ns
    gone.unlink()
    os.utime(old, ns=(stamp - 10**12, stamp - 10**12))  # older than its seed
    second = make(world, tmp_path)
    assert second == {**first, 'written': 2}
    assert kept.stat().st_mtime_ns == stamp
    assert gone.is_file()
    assert old.stat().st_mtime_ns >= stamp
    assert make(world, tmp_path, overwrite=True)['written'] == 4


def test_masks_of_other_settings_never_mix(world, tmp_path):
    make(world, tmp_path)
    with pytest.raises(FileExistsError, match=r'field threshold: .* made with 0\.3, not 0\.4'):
        make(world, tmp_path, threshold=0.4)
    with pytest.raises(FileExistsError, match=r"field classes: .*'dog'"):
        make(world, tmp_path, classes=('background', 'cat', 'cow'))
    again = make(world, tmp_path, threshold=0.4, overwrite=True)
    assert again['written'] == 4
    (tmp_path / 'masks/masks.json').write_text('{')
    with pytest.raises(ValueError, match=r'masks\.json: not JSON'):
        make(world, tmp_path, threshold=0.4)


def test_the_truth_is_not_taken_for_pseudo_masks(world, tmp_path):
    before = (tmp_path / 'truth/set/0.png').read_bytes()
    with pytest.raises(FileExistsError, match=r'truth: holds masks but no masks\.json'):
        make(world, tmp_path, out_dir=tmp_path / 'truth')
    assert (tmp_path / 'truth/set/0.png').read_bytes() == before


def test_progress_is_logged_where_there_is_no_terminal(world, tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(
        'mmppc.refinement.folder_job.print_log', lambda text, **_: lines.append(text)
    )
    monkeypatch.setattr('mmppc.refinement.folder_job._LINES', 3)
    make(world, tmp_path)
    assert len(lines) == 1
    make(world, tmp_path, overwrite=True, progress=True)
    assert lines[2:] == ['masks 2/4', 'masks 4/4']
    assert all(STEP.search(line) for line in lines[2:])
    make(world[3:], tmp_path, progress=True)  # finished, and no truth to compare with
    assert len(lines) == 5


def test_without_truth(world, tmp_path):
    report = make(world[3:], tmp_path)
    assert report['evaluated'] == 0
    assert report['mIoU'] is None


def test_missing_and_wrong_input(world, tmp_path):
    for number in (1, 2):
        (tmp_path / f'seeds/set/{number}.npz').unlink()
    message = r"seeds: no seed for 2 of 4 pictures: 'set/1', 'set/2'; test the network"
    with pytest.raises(FileNotFoundError, match=message):
        make(world, tmp_path)
    assert not (tmp_path / 'masks').exists()
    with pytest.raises(FileNotFoundError, match='nowhere: no such folder of seeds'):
        make(world, tmp_path, seed_dir=tmp_path / 'nowhere')
    with pytest.raises(ValueError, match='no pictures'):
        make([], tmp_path)
    with pytest.raises(ValueError, match=r'threshold=1\.5'):
        make(world, tmp_path, threshold=1.5)
    with pytest.raises(ValueError, match="CRF preset 'sead'"):
        make(world, tmp_path, method='densecrf', crf='sead')
    with pytest.raises(ValueError, match='densecrf'):
        make(world, tmp_path, method='crf')
    with pytest.raises(ValueError, match='2 classes, 3 colours'):
        make(world, tmp_path, classes=CLASSES[:2])
    with pytest.raises(ValueError, match=r'0\.npz: field num_classes: found 3, expected 2'):
        make(world[:1], tmp_path, classes=CLASSES[:2], palette=PALETTE[:2])


def test_truth_of_another_size(world, tmp_path):
    save_mask(tmp_path / 'truth/set/1.png', np.zeros((2, 2), int), PALETTE)
    with pytest.raises(ValueError, match=r'1\.png: truth of size \(2, 2\), prediction of size'):
        make(world, tmp_path)


def test_picture_of_another_size(world, tmp_path):
    pytest.importorskip('pydensecrf')
    Image.new('RGB', (3, 3)).save(world[1].img_path)
    message = r'set/1: .*1\.png: picture of size \(3, 3\), expected that of its seed, \(16, 21\)'
    with pytest.raises(ValueError, match=message):
        make(world, tmp_path, method='densecrf')


# The command line tool.


@pytest.fixture
def tool(world, tmp_path, monkeypatch, capsys):
    """Runs tools/make_masks.py in this process: ``tool(stage, *arguments) -> its output``."""
    spec = importlib.util.spec_from_file_location('make_masks', TOOL)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.syspath_prepend(str(TOOL.parents[1]))
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    dataset = {
        'type': 'TaggedImageDataset',
        'data_root': str(tmp_path),
        'data_prefix': {'img_path': 'JPEGImages', 'seg_map_path': 'truth'},
        'metainfo': {'classes': CLASSES, 'palette': PALETTE},
        'pipeline': [{'type': 'LoadPicture'}],
    }

    def run(stage, *arguments):
        lines = [f'test_dataloader = dict(dataset={dataset!r})', "default_scope = 'mmseg'"]
        if stage is not None:
            lines.append(f'mask_stage = {stage!r}')
        (tmp_path / 'config.py').write_text('\n'.join(lines))
        monkeypatch.setattr(sys, 'argv', ['make_masks.py', 'config.py', *map(str, arguments)])
        with contextlib.suppress(SystemExit):  # after a message on what is wrong
            module.main()
        output = capsys.readouterr()
        return output.out + output.err

    return run


@pytest.mark.parametrize('method', ['none', 'densecrf'])
def test_masks_with_a_background_that_follows_the_scores(world, tmp_path, method):
    if method == 'densecrf':
        pytest.importorskip('pydensecrf')
    report = make(world, tmp_path, threshold=None, alpha=2.5, method=method, crf='eps')
    assert (report['threshold'], report['alpha']) == (None, 2.5)
    for record, mask in zip(world, masks(tmp_path).values()):
        seed = load_seed(tmp_path / f'seeds/{record.sample_id}.npz')
        expected = np.zeros(seed.size, np.uint8)
        if len(seed.classes):
            background = (1 - seed.scores.max(axis=0, keepdims=True)) ** 2.5
            scores = np.concatenate([background, seed.scores]).astype(np.float32)
            labels = np.append(0, seed.classes)
            if method == 'none':
                expected = labels[scores.argmax(axis=0)]
            else:
                picture = read_picture(record.img_path)
                refined = crf_from_probabilities(picture, scores, 'eps')
                expected = labels[refined.argmax(axis=0)]
        assert np.array_equal(mask, expected)
    with pytest.raises(FileExistsError, match='alpha'):
        make(world, tmp_path, threshold=None, alpha=8, method=method, crf='eps')
    with pytest.raises(FileExistsError, match='threshold'):
        make(world, tmp_path, method=method, crf='eps')


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({}, 'expected one of threshold and alpha'),
        ({'threshold': 0.3, 'alpha': 8}, 'expected one of threshold and alpha'),
        ({'threshold': 1.0}, r'expected a background score in \[0, 1\)'),
        ({'alpha': 0}, 'expected an exponent of more than 0'),
        ({'alpha': float('nan')}, 'expected an exponent of more than 0'),
    ],
)
def test_background_is_refused(world, tmp_path, given, message):
    with pytest.raises(ValueError, match=message):
        make(world, tmp_path, **{'threshold': None, **given})


def test_tool_takes_alpha_from_the_config_and_the_command_line(tool):
    stage = {'seed_dir': 'seeds', 'out_dir': 'made', 'alpha': 8, 'crf': 'none', 'workers': 0}
    assert '(4 made now): background (1 - max)^8 (given), CRF none' in tool(stage)
    assert 'alpha: the masks there were made with 8' in tool(stage, '--alpha', 4)
    assert '(4 made now): threshold 0.6 (given)' in tool(stage, '--threshold', 0.6, '--overwrite')
    stage = {**stage, 'threshold_from': 'x.json'}
    assert 'threshold_from and alpha, expected only one of them' in tool(stage)


@pytest.mark.parametrize('key', ['weights', 'settings'])
def test_seeds_of_several_tests_never_become_masks(world, tmp_path, key):
    for number, record in enumerate(world):
        path = tmp_path / f'seeds/{record.sample_id}.npz'
        seed = load_seed(path)
        meta = {'weights': 'w', 'settings': 's'}
        if number == 2:
            meta[key] = 'former'
        save_seed(path, seed.scores, seed.classes, num_classes=3, meta=meta)
    with pytest.raises(ValueError, match=f"2.npz: field meta.{key}: found 'former', expected"):
        make(world, tmp_path)


def test_tool_from_the_command_line(tool, world, tmp_path):
    report = {'best_threshold': 0.42, 'split': 'val'}
    (tmp_path / 'metric.json').write_text(json.dumps(report))
    given = ('--seeds', 'seeds', '--out', 'made', '--threshold-from', 'metric.json')
    output = tool(None, *given, '--crf', 'none', '--workers', 0)
    assert '4 masks in made (4 made now): threshold 0.42 (best of metric.json' in output
    assert 'on the 3 pictures with truth' in output
    record = json.loads((tmp_path / 'made/masks.json').read_text())
    assert record['threshold_source'] == "best of metric.json, chosen on 'val'"
    expected = make(world, tmp_path, threshold=0.42)
    assert record['mIoU'] == expected['mIoU']
    assert load_mask(tmp_path / 'made/set/1.png').tolist() == masks(tmp_path)['1'].tolist()


def test_tool_from_the_config(tool, tmp_path):
    stage = {
        'seed_dir': 'seeds', 'out_dir': 'made', 'threshold': 0.5, 'crf': 'none', 'workers': 0
    }  # fmt: skip
    assert 'threshold 0.5 (given), CRF none' in tool(stage)
    assert '(0 made now)' in tool(stage)
    assert 'threshold: the masks there were made with 0.5, not 0.6' in tool(
        stage, '--threshold', 0.6
    )
    assert '(4 made now): threshold 0.6' in tool(stage, '--threshold', 0.6, '--overwrite')
    assert 'threshold 0.6' in tool(stage, '--cfg-options', 'mask_stage.threshold=0.6')


@pytest.mark.parametrize(
    ('stage', 'arguments', 'expected'),
    [
        ({'crf': 'none'}, [], 'CRF none'),
        ({'refine': 'none', 'crf': 'seed'}, [], 'CRF none'),
        ({'refine': 'pamr', 'crf': 'seed'}, [], 'PAMR'),
        ({'refine': 'pamr', 'crf': 'none'}, [], 'PAMR'),
        ({'refine': 'pamr'}, ['--crf', 'none'], 'CRF none'),
        ({'crf': 'seed'}, ['--refine', 'none'], 'CRF none'),
        ({'crf': 'seed'}, ['--refine', 'pamr', '--device', 'cpu'], 'PAMR'),
        ({}, [], 'CRF seed'),
        ({'refine': 'pamr'}, ['--crf', 'irn'], 'CRF irn'),
        ({'crf': 'none'}, ['--refine', 'densecrf'], 'CRF seed'),
        ({}, ['--refine', 'densecrf', '--crf', 'none'], "refine='densecrf' with crf='none', expec"),
    ],
)
def test_tool_refinement(tool, stage, arguments, expected):
    if 'CRF seed' in expected or 'CRF irn' in expected:
        pytest.importorskip('pydensecrf')
    stage = {**stage, 'seed_dir': 'seeds', 'out_dir': 'made', 'workers': 0}
    assert expected in tool(stage, *arguments)


def test_tool_defaults_to_the_work_folder(tool, tmp_path):
    (tmp_path / 'work_dirs/config').mkdir(parents=True)
    (tmp_path / 'seeds').rename(tmp_path / 'work_dirs/config/seeds')
    assert 'threshold 0.26 (default), CRF none' in tool(None, '--crf', 'none', '--workers', 0)
    assert (tmp_path / 'work_dirs/config/masks/masks.json').is_file()


@pytest.mark.parametrize(
    ('stage', 'arguments', 'message'),
    [
        ({'seeds': 'seeds'}, [], "mask_stage: unknown ['seeds'], expected some of ['seed_dir'"),
        ({'threshold': 0.2, 'threshold_from': 'x'}, [], 'expected only one of them'),
        ({}, ['--threshold-from', 'x.json'], 'x.json: no such file, expected the seed_metric'),
        ({}, ['--threshold-from', 'config.py'], 'config.py: not a seed_metric'),
        ({}, ['--seeds', 'nowhere', '--crf', 'none'], 'nowhere: no such folder of seeds'),
    ],
)
def test_tool_refuses(tool, stage, arguments, message):
    assert message in tool(stage, *arguments)
