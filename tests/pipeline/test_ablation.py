"""Runs of ablations: what is done, resumed, done again or left, and what is recorded of it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from mmppc.datasets.toy import draw_toy_set
from mmppc.pipeline.ablation import Run, execute, make_run, plan, read_result
from mmppc.pipeline.ablation_data import data_digest
from mmppc.pipeline.ablation_rows import TABLES

CAM, WHOLE = TABLES['5'].rows[0], TABLES['5'].rows[-1]


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_toy_set(tmp_path_factory.mktemp('data') / 'toy', num_train=3, num_val=2, size=48)


HEADER = (
    'threshold,mIoU,background,cat,dog,fg_recall,bg_false_positives,'
    'recall/cat,recall/dog,false_positives/cat,false_positives/dog\n'
)
TABLE = {
    'train': f'{HEADER}0.26,45.5,70,30,36.5,80,30,81,79,20,10\n0.31,50.5,75,40,36.5,70,20,71,,15,5\n',
    'val': f'{HEADER}0.26,38.5,60,20,35.5,78,33,79,77,21,12\n0.31,39.25,61,25,31.75,68,23,69,67,16,7\n',
}


class FakeStages:
    """Writes what the stages would, and fails or is killed when told to."""

    def __init__(self, fail_at: str | None = None) -> None:
        self.fail_at = fail_at
        self.done: list[str] = []
        self.commands: list[list[str]] = []

    def __call__(
        self, title: str, command: Sequence[str], log_file: Path, *, pass_fds: Sequence[int] = ()
    ) -> None:
        name = title.split(': ')[1]
        self.commands.append(list(command))
        work = Path(command[list(command).index('--work-dir') + 1])
        work.mkdir(parents=True, exist_ok=True)
        if name == self.fail_at:
            raise ChildProcessError(f'{name} was killed')
        self.done.append(name)
        if name == 'train':
            for iteration in (1, 2):
                torch.save({}, work / f'iter_{iteration}.pth')
            # As a kill leaves it that comes between the last checkpoint and this note.
            (work / 'last_checkpoint').write_text(str(work / 'iter_1.pth'))
            return
        (work / 'seeds').mkdir(exist_ok=True)
        split = name.split()[0]
        tta = '--tta' in command
        report = dict(
            best_threshold=0.31 if split == 'train' else 0.2,
            pictures=3 if split == 'train' else 2,
            conditions=dict(scales=[1.0, 1.5], flip=True) if tta else dict(scales=[1.0]),
        )
        (work / f'seed_metric_{split}.json').write_text(json.dumps(report))
        (work / f'seed_metric_{split}.csv').write_text(TABLE[split])


def run_of(folder: Path, data: Path, row=WHOLE, seed: int = 0, **options) -> Run:
    return make_run(row, 'toy', seed, folder, data_root=data, options=options)


def test_a_run_is_trained_tested_and_recorded(tmp_path: Path, data: Path) -> None:
    run = run_of(tmp_path, data, seed=3)
    assert plan(run)[0] == 'new'
    stages = FakeStages()
    execute(run, stages)
    assert stages.done == ['train', 'train seeds', 'val seeds']
    train, *tests = stages.commands
    assert train[-4:] == ['--work-dir', str(run.work), '--no-validate', '--resume']
    assert 'test_evaluator.0.threshold=0.31' in tests[1]
    assert not any('threshold' in word for word in tests[0])
    for command, split in zip(tests, ('train', 'val')):
        assert command[3] == str(run.work / 'iter_2.pth')
        assert '--tta' in command
        assert f'test_dataloader.dataset.ann_file=ImageSets/Segmentation/{split}.txt' in command
    result = read_result(run)
    assert result['seconds'] is not None
    assert 'torch' in result['versions']
    assert plan(run) == ('finished', 'done')
    # Skipped, not done again.
    again = FakeStages()
    execute(run, again)
    assert again.commands == []
    assert read_result(run) == result


def test_the_config_that_is_run_has_seed_data_and_options(tmp_path: Path, data: Path) -> None:
    from mmppc.utils.config_file import read_config

    options = {'model.losses.contrast.topk': 5, 'train_cfg.max_iters': 2}
    run = run_of(tmp_path, data, seed=4, **options)
    execute(run, FakeStages())
    cfg = read_config(str(run.folder / 'config.py'))
    assert cfg.randomness.seed == 4
    assert cfg.train_dataloader.dataset.data_root == str(data)
    assert cfg.model.losses.contrast.topk == 5
    assert cfg.train_cfg.max_iters == 2
    assert cfg.model == run.cfg.model


@pytest.mark.parametrize('stage', ['train', 'train seeds', 'val seeds'])
def test_an_interrupted_run_goes_on(tmp_path: Path, data: Path, stage: str) -> None:
    run = run_of(tmp_path, data)
    with pytest.raises(ChildProcessError):
        execute(run, FakeStages(fail_at=stage))
    assert plan(run)[0] == 'resume'
    stages = FakeStages()
    execute(run, stages)
    names = ['train', 'train seeds', 'val seeds']
    assert stages.done == names[names.index(stage) :]
    # The interrupted stage's time is not known.
    assert read_result(run)['seconds'] is None


def test_a_killed_process_goes_on_too(tmp_path: Path, data: Path) -> None:
    class Killed(BaseException):
        pass

    def kill(*arguments, **options) -> None:
        raise Killed

    run = run_of(tmp_path, data)
    with pytest.raises(Killed):
        execute(run, kill)
    assert plan(run) == ('resume', 'finished so far: nothing')


@pytest.mark.parametrize('finished', [True, False])
def test_a_changed_config_is_done_again(tmp_path: Path, data: Path, finished: bool) -> None:
    run = run_of(tmp_path, data)
    if finished:
        execute(run, FakeStages())
    else:
        with pytest.raises(ChildProcessError):
            execute(run, FakeStages(fail_at='val seeds'))
    changed = run_of(tmp_path, data, **{'model.losses.contrast.topk': 8})
    action, reason = plan(changed)
    assert action == 'again'
    assert reason == 'the config changed: model.losses.contrast.topk was 32, is 8'
    (run.work / 'left_over').write_text('of the former run')
    stages = FakeStages()
    execute(changed, stages)
    assert stages.done == ['train', 'train seeds', 'val seeds']
    assert changed.digest != run.digest
    assert not (run.work / 'left_over').exists()
    # A setting that this row does not have leaves it as it was.
    for row in (CAM, WHOLE):
        topk = run_of(tmp_path, data, row=row, **{'model.losses.contrast.topk': 8})
        assert (topk.digest == run_of(tmp_path, data, row=row).digest) == (row is CAM)


def test_other_data_are_another_run_and_moved_data_the_same(tmp_path: Path, data: Path) -> None:
    run = run_of(tmp_path / 'work', data)
    execute(run, FakeStages())
    moved = draw_toy_set(tmp_path / 'moved', num_train=3, num_val=2, size=48)
    assert plan(run_of(tmp_path / 'work', moved))[0] == 'finished'
    assert run_of(tmp_path / 'work', moved).digest == run.digest
    other = draw_toy_set(tmp_path / 'other', num_train=3, num_val=2, size=48, seed=1)
    action, reason = plan(run_of(tmp_path / 'work', other))
    assert action == 'again'
    assert reason.startswith('lists, tags, classes or initial weights changed')
    # A finished run needs its data no longer; an unfinished one does.
    assert plan(run_of(tmp_path / 'work', tmp_path / 'gone'))[0] == 'finished'
    with pytest.raises(FileNotFoundError, match='data_root not found'):
        execute(run_of(tmp_path / 'fresh', tmp_path / 'gone'), FakeStages())


def test_seeds_and_rows_do_not_meet(tmp_path: Path, data: Path) -> None:
    runs = [run_of(tmp_path, data, row, seed) for row in (CAM, WHOLE) for seed in (0, 1)]
    assert len({run.folder for run in runs}) == 4
    assert len({run.digest for run in runs}) == 2
    execute(runs[0], FakeStages())
    assert [plan(run)[0] for run in runs] == ['finished', 'new', 'new', 'new']
    # A row of another table that is the same experiment is the same run.
    table_7 = run_of(tmp_path, data, TABLES['7'].rows[0])
    assert plan(table_7)[0] == 'finished'


@pytest.mark.parametrize(
    ('keep', 'left'),
    [
        (dict(), {'iter_2.pth'}),
        (dict(keep_checkpoint=False), set()),
        (dict(keep_seeds=True), {'iter_2.pth', 'seeds'}),
    ],
)
def test_what_is_kept_of_a_finished_run(tmp_path: Path, data: Path, keep: dict, left: set) -> None:
    run = run_of(tmp_path, data)
    execute(run, FakeStages(), **keep)
    found = {path.name for path in run.work.iterdir()} & {'iter_1.pth', 'iter_2.pth', 'seeds'}
    assert found == left


def test_a_training_that_outlives_its_tool_keeps_others_out(tmp_path: Path, data: Path) -> None:
    run = run_of(tmp_path, data)
    left: list[subprocess.Popen] = []

    def killed(*arguments, pass_fds: Sequence[int]) -> None:
        """Leaves a process behind, as when the tool gets SIGKILL."""
        command = [sys.executable, '-c', 'input()']
        left.append(subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=tuple(pass_fds)))
        raise ChildProcessError('the tool is gone')

    with pytest.raises(ChildProcessError):
        execute(run, killed)
    with pytest.raises(BlockingIOError, match='another process'):
        execute(run, FakeStages())
    left[0].communicate(b'\n')
    execute(run, FakeStages())
    assert plan(run) == ('finished', 'done')


def test_a_stage_that_leaves_nothing_is_an_error(tmp_path: Path, data: Path) -> None:
    run = run_of(tmp_path, data)
    with pytest.raises(FileNotFoundError, match='left no checkpoint'):
        execute(run, lambda *arguments, **options: None)
    with pytest.raises(FileNotFoundError, match='run not finished'):
        read_result(run)


def test_other_tests_leave_the_training_alone(tmp_path: Path, data: Path) -> None:
    run = run_of(tmp_path, data)
    execute(run, FakeStages(), keep_seeds=True)
    single = make_run(WHOLE, 'toy', 0, tmp_path, data_root=data, single_scale=True)
    assert single.digest != run.digest
    assert plan(single) == ('test', 'the tests were with augmentation, are at a single scale')
    stages = FakeStages(fail_at='val seeds')
    with pytest.raises(ChildProcessError):
        execute(single, stages, keep_seeds=True)
    assert stages.done == ['train seeds']
    assert not any('--tta' in command for command in stages.commands)
    assert not (run.work / 'seed_metric_val.csv').exists()  # that of the former test
    assert plan(single) == ('resume', 'finished so far: train, train seeds')
    stages = FakeStages()
    execute(single, stages, keep_checkpoint=False)
    assert stages.done == ['val seeds']
    assert plan(single) == ('finished', 'done')
    # Back again: what was tested at one scale does not hold, and there is no checkpoint any more.
    action, reason = plan(run)
    assert action == 'again'
    assert reason == (
        'the tests were at a single scale, are with augmentation, and the checkpoint was not kept'
    )


def test_a_run_that_is_only_begun_is_not_tested_yet(tmp_path: Path, data: Path) -> None:
    with pytest.raises(ChildProcessError):
        execute(run_of(tmp_path, data), FakeStages(fail_at='train'))
    single = make_run(WHOLE, 'toy', 0, tmp_path, data_root=data, single_scale=True)
    assert plan(single)[0] == 'resume'
    execute(single, FakeStages())
    assert plan(single)[0] == 'finished'
    assert plan(run_of(tmp_path, data))[0] == 'test'


def test_reports_without_rates_are_made_again(tmp_path: Path, data: Path) -> None:
    run = run_of(tmp_path, data)
    execute(run, FakeStages())
    path = run.work / 'seed_metric_val.csv'
    path.write_text('threshold,mIoU,background,cat,dog\n0.26,38.5,60,20,35.5\n')
    assert plan(run) == ('test', 'no rates in the report of the test on val')
    stages = FakeStages()
    execute(run, stages)
    assert stages.done == ['train seeds', 'val seeds']
    assert plan(run)[0] == 'finished'
    (run.work / 'iter_2.pth').unlink()
    path.unlink()
    assert plan(run)[0] == 'again'


def test_other_initial_weights_in_the_data_folder_are_another_run(tmp_path: Path) -> None:
    root = draw_toy_set(tmp_path / 'data', num_train=3, num_val=2, size=48)
    weights = root / 'backbone.pth'
    weights.write_bytes(b'first')
    init = dict(type='Pretrained', checkpoint=str(weights))
    run = run_of(tmp_path / 'work', root, **{'model.backbone.init_cfg': init})
    execute(run, FakeStages())
    assert plan(run)[0] == 'finished'
    weights.write_bytes(b'second')
    assert plan(run)[0] == 'again'


def test_what_a_killed_removal_leaves_is_not_gone_on_with(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, data)
    execute(run, FakeStages())
    changed = run_of(tmp_path, data, **{'model.losses.contrast.topk': 8})
    remove = shutil.rmtree

    def killed(folder: Path, **options) -> None:
        if Path(folder).exists():
            (Path(folder) / 'run.json').unlink()
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, 'rmtree', killed)
    with pytest.raises(KeyboardInterrupt):
        execute(changed, FakeStages())
    monkeypatch.setattr(shutil, 'rmtree', remove)
    assert plan(changed)[0] == 'new'

    class Fresh(FakeStages):
        def __call__(self, title: str, *arguments, **options) -> None:
            if title.endswith(': train'):
                assert not list(changed.folder.rglob('*.pth'))
            super().__call__(title, *arguments, **options)

    execute(changed, Fresh())
    assert [path.name for path in changed.folder.parent.iterdir() if path.is_dir()] == ['seed0']
    # The same for a folder that has lost its record.
    (changed.folder / 'run.json').unlink()
    execute(changed, Fresh())


@pytest.mark.parametrize(
    'option',
    [
        {'default_hooks.logger.interval': 7},
        {'train_dataloader.num_workers': 0},
        {'mask_stage.crf': 'none'},
        {'train_dataloader.sampler.cache': 'elsewhere'},
    ],
)
def test_what_does_not_matter_leaves_a_run_finished(
    tmp_path: Path, data: Path, option: dict
) -> None:
    run, other = run_of(tmp_path, data), run_of(tmp_path, data, **option)
    assert run.settings != other.settings
    execute(run, FakeStages())
    assert plan(other) == ('finished', 'done')
    assert other.digest == run.digest


def test_a_longer_sweep_tests_again_and_does_not_train(tmp_path: Path, data: Path) -> None:
    execute(run_of(tmp_path, data), FakeStages())
    longer = {'test_evaluator.0.thresholds': [step / 100 for step in range(100)]}
    run = run_of(tmp_path, data, **longer)
    assert run.digest != run_of(tmp_path, data).digest
    action, reason = plan(run)
    assert action == 'test'
    assert reason.startswith('the tests changed: test_evaluator.0.thresholds was (none), is [0.0,')
    stages = FakeStages()
    execute(run, stages)
    assert stages.done == ['train seeds', 'val seeds']
    assert plan(run) == ('finished', 'done')


def test_other_true_masks_test_again(tmp_path: Path) -> None:
    root = draw_toy_set(tmp_path / 'data', num_train=3, num_val=2, size=48)
    run = run_of(tmp_path / 'work', root)
    execute(run, FakeStages())
    masks = root / run.cfg.test_dataloader.dataset.data_prefix.seg_map_path
    (masks / 'not_listed.png').write_bytes(b'of another list')
    assert plan(run) == ('finished', 'done')
    mask = masks / f'{(root / "ImageSets/Segmentation/val.txt").read_text().split()[0]}.png'
    mask.write_bytes(mask.read_bytes() + b'changed')
    assert plan(run) == ('test', 'the true masks changed')
    stages = FakeStages()
    execute(run, stages)
    assert stages.done == ['train seeds', 'val seeds']
    assert plan(run) == ('finished', 'done')


def test_the_data_digest_sees_tag_folders_classes_and_weights_elsewhere(tmp_path: Path) -> None:
    root = draw_toy_set(tmp_path / 'data', num_train=3, num_val=2, size=48)
    tag, weights, classes = root / 'tags' / 'a.xml', tmp_path / 'backbone.pth', root / 'names.txt'
    tag.parent.mkdir()
    for path in (tag, weights, classes):
        path.write_text('first')
    dataset = 'train_dataloader.dataset'
    options = {
        f'{dataset}.tag_file': 'tags',
        f'{dataset}.classes_file': 'names.txt',
        'model.backbone.init_cfg': dict(type='Pretrained', checkpoint=str(weights)),
    }
    cfg = run_of(tmp_path / 'work', root, **options).cfg
    found = [data_digest(cfg)]
    for path in (tag, weights, classes):
        path.write_text('another')
        found.append(data_digest(cfg))
    assert len(set(found)) == 4
