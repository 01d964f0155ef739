"""A work folder in every state."""

import fcntl
import json
from pathlib import Path

import pytest

from mmppc.report.collect import collect
from tests.report.work_folder import SOURCE, STAGES, write_log

CONFIG = """
default_scope = 'mmseg'
randomness = dict(seed=3)
test_dataloader = dict(dataset=dict(
    type='TaggedImageDataset', data_root={data!r}, ann_file='ImageSets/Segmentation/{split}.txt',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'), classes_file='classes.txt',
    pipeline=[dict(type='NoSuchTransform')]))
test_evaluator = [dict(type='SeedMetric', split={split!r}), dict(type='TagMetric')]
"""


def change(path, **values):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **values}))


def test_a_finished_pipeline(finished):
    run = collect(finished)
    assert (run.name, run.seed, run.config) == ('toy run', 7, 'configs/pipelines/toy.py')
    assert tuple(stage.name for stage in run.stages) == STAGES
    assert {stage.state for stage in run.stages} == {'finished'}
    assert run.notes == ()
    assert run.data.classes[0] == 'background'
    assert run.data.palette[1] == (128, 0, 0)
    assert {split: len(records) for split, records in run.data.splits.items()} == {
        'train': 9,
        'val': 7,
    }
    record = run.data.splits['val'][0]
    assert record.img_path.endswith(f'JPEGImages/{record.sample_id}.jpg')
    assert record.truth_path.endswith(f'SegmentationClass/{record.sample_id}.png')
    stages = {stage.name: stage for stage in run.stages}
    assert run.threshold.source == SOURCE
    assert run.threshold == stages['masks'].threshold
    cam = stages['cam']
    assert (cam.title, cam.do, cam.split, cam.seconds, cam.attempts) == (
        'CAM network',
        'train',
        'train',
        75.0,
        2,
    )
    assert cam.scalars.series['loss'][0].tolist() == list(range(10, 121, 10))
    assert cam.scalars.resumed_at == (50,)
    assert run.versions == {'python': '3.11.7', 'torch': '2.9.0'}
    assert len(stages['val_seeds'].curves) == len(stages['val_seeds'].tags) == 1
    assert len(stages['final'].evaluations) == 1


def test_a_pipeline_that_has_just_begun(run_copy):
    for name in STAGES[1:]:
        (run_copy / name).rename(run_copy.parent / name)
    change(run_copy / 'cam/manifest.json', state='running', seconds=None)
    (run_copy / 'cam/stage.log').write_text('\n'.join(f'line {k}' for k in range(100)))
    run = collect(run_copy)
    assert [stage.state for stage in run.stages] == ['running'] + 5 * ['not started']
    assert run.stages[0].log_tail == tuple(f'line {k}' for k in range(80, 100))
    assert run.stages[0].last_sign is not None
    assert run.threshold is None
    assert run.notes == ()


def test_stopped_or_running_is_told_by_the_lock(run_copy):
    change(run_copy / 'final/manifest.json', state='running', seconds=None)
    (run_copy / 'lock').write_text('123')
    assert collect(run_copy).stages[-1].state == 'stopped'
    with (run_copy / 'lock').open('r+') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert collect(run_copy).stages[-1].state == 'running'


def test_a_seed_that_the_record_leaves_to_the_configs(run_copy):
    change(run_copy / 'pipeline.json', seed=None)
    assert collect(run_copy).seed == 7
    change(run_copy / 'cam/manifest.json', seed=8)
    assert collect(run_copy).seed is None


def test_a_stage_that_the_record_does_not_name_comes_last(run_copy):
    change(run_copy / 'pipeline.json', stages=[{'name': 'cam', 'title': 'x'}, 'masks', 'later'])
    run = collect(run_copy)
    assert [stage.name for stage in run.stages][:3] == ['cam', 'masks', 'later']
    assert {stage.name for stage in run.stages[3:]} == {
        'final',
        'segmentation',
        'train_seeds',
        'val_seeds',
    }
    assert run.stages[2].state == 'not started'


def test_damaged_and_missing_files_are_noted(run_copy):
    (run_copy / 'cam/manifest.json').write_text('{')
    (run_copy / 'final/mask_metric_val.json').write_text('x')
    record = json.loads((run_copy / 'pipeline.json').read_text())
    record['data'].update(
        masks='/nowhere/masks', lists={**record['data']['lists'], 'test': '/nowhere/list.txt'}
    )
    (run_copy / 'pipeline.json').write_text(json.dumps(record))
    run = collect(run_copy)
    notes = '\n'.join(run.notes)
    for text in (
        'cam/manifest.json: not a JSON',
        'mask_metric_val.json: not a JSON',
        '/nowhere/masks',
        '/nowhere/list.txt',
    ):
        assert text in notes
    assert run.stages[0].state == 'not started'
    assert run.data.splits['val'][0].truth_path is None
    (run_copy / 'pipeline.json').write_text('broken')
    run = collect(run_copy)
    assert run.name == 'run'
    assert len(run.stages) == 6


def test_pictures_that_are_listed_and_missing_are_noted(run_copy, tmp_path):
    record = json.loads((run_copy / 'pipeline.json').read_text())
    names = tmp_path / 'list.txt'
    names.write_text('nobody\n' + Path(record['data']['lists']['val']).read_text())
    record['data']['lists']['val'] = str(names)
    (run_copy / 'pipeline.json').write_text(json.dumps(record))
    run = collect(run_copy)
    assert len(run.data.splits['val']) == 7
    assert "no picture for 1 (first: 'nobody')" in run.notes[0]


def test_classes_that_the_record_leaves_to_the_configs(run_copy):
    record = json.loads((run_copy / 'pipeline.json').read_text())
    classes = tuple(record['data']['classes'])
    record['data'].update(classes=None, palette=None)
    (run_copy / 'pipeline.json').write_text(json.dumps(record))
    run = collect(run_copy)
    assert run.data.classes == classes
    assert len(run.data.palette) == len(classes)


def test_one_stage_of_a_pipeline(finished):
    run = collect(finished / 'final')
    assert [stage.name for stage in run.stages] == ['final']
    assert run.data.classes[0] == 'background'
    assert (run.seed, run.stages[0].split) == (7, 'val')


def test_a_folder_of_the_tools(run_copy, finished):
    """Training, then tests of both splits, all in one folder, without a manifest."""
    folder = run_copy / 'cam'
    (folder / 'manifest.json').unlink()
    data = str(finished.parent / 'data')
    for time, split in (('20260101_140000', 'train'), ('20260101_150000', 'val')):
        path = folder / time / 'vis_data/config.py'
        path.parent.mkdir(parents=True)
        path.write_text(CONFIG.format(data=data, split=split))
        for name in (
            f'seed_metric_{split}.json',
            f'seed_metric_{split}.csv',
            f'tag_metric_{split}.json',
        ):
            (run_copy / f'{split}_seeds' / name).rename(folder / name)
    (folder / 'ppc.py').write_text('a = 1')
    run = collect(folder)
    assert (run.name, run.config, run.seed) == ('cam', 'ppc.py', 3)
    (stage,) = run.stages
    assert (stage.state, stage.split) == ('recorded', None)
    assert stage.started == '2026-01-01T12:00:00'
    assert {split: len(records) for split, records in run.data.splits.items()} == {
        'train': 9,
        'val': 7,
    }
    assert all(record.truth_path for record in run.data.splits['train'])
    assert run.threshold.source == 'best of train'
    assert run.notes == ()


def test_a_config_whose_data_have_moved_is_noted(tmp_path):
    write_log(tmp_path, '20260101_120000', [10, 20], first=1.0)
    config = tmp_path / '20260101_120000/vis_data/config.py'
    config.write_text(CONFIG.format(data='/nowhere', split='val'))
    run = collect(tmp_path)
    assert run.data.splits == {}
    assert 'its test data cannot be opened' in run.notes[0]
    assert '/nowhere' in run.notes[0]
    assert len(run.stages[0].scalars.series['loss'][0]) == 2


def test_folders_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nothing: no such work folder'):
        collect(tmp_path / 'nothing')
    (tmp_path / 'notes.txt').write_text('x')
    with pytest.raises(
        FileNotFoundError, match=r'found no pipeline\.json and nothing of tools/train\.py'
    ):
        collect(tmp_path)
