"""The ablation tool as users start it, cut short."""

import argparse
import importlib.util
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mmppc.datasets.toy import draw_toy_set
from mmppc.pipeline.ablation import execute, make_run
from mmppc.pipeline.ablation_records import CLASS_FIELDS, ends_sweep, read_records
from mmppc.pipeline.ablation_rows import TABLES
from tests.pipeline.test_ablation import FakeStages

ROOT = Path(__file__).resolve().parents[2]


def run_tool(
    folder: Path, *arguments: str, more: Sequence[str] = ()
) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / 'tools' / 'analysis_tools' / 'run_ablation.py')]
    options = ['train_cfg.max_iters=2', 'param_scheduler.0.end=3', 'train_dataloader.batch_size=4']
    command += [
        '--dataset',
        'toy',
        '--work-dir',
        str(folder / 'work'),
        '--out',
        str(folder / 'out'),
    ]
    command += [*arguments, '--cfg-options', *options, *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_dry_run_lists_and_writes_nothing(tmp_path: Path) -> None:
    run = run_tool(tmp_path, '--table', '6', '--seeds', '1', '2', '--rows', 'k4', 'k0', '--dry-run')
    assert run.returncode == 0, run.stderr
    assert [line for line in run.stdout.splitlines() if 'seed ' in line] == [
        f'{title}, seed {seed}: new (never started)'
        for seed in (1, 2)
        for title in ('K = 0 (SEAM)', 'K = 4')
    ]
    assert '| K = 64 | 0 | - | - | - |' in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_unknown_row_is_one_message(tmp_path: Path) -> None:
    run = run_tool(tmp_path, '--table', '7', '--rows', 'shear', '--dry-run')
    assert run.returncode == 2
    assert 'error: table 7 has no row shear' in run.stderr
    assert 'Traceback' not in run.stderr


def test_processes_with_other_seeds_share_the_files(tmp_path: Path) -> None:
    data = draw_toy_set(tmp_path / 'data', num_train=3, num_val=2, size=48)
    spec = importlib.util.spec_from_file_location(
        'run_ablation', ROOT / 'tools' / 'analysis_tools' / 'run_ablation.py'
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    table = TABLES['5']
    parts = []
    for seed in (0, 1):
        runs = [make_run(row, 'toy', seed, tmp_path, data_root=data) for row in table.rows]
        arguments = argparse.Namespace(dataset='toy', fixed_threshold=0.26)
        parts.append((tool.Tables(arguments, table, tmp_path / 'out', runs), runs))
    for tables, runs in [*parts, parts[0]]:
        execute(runs[0], FakeStages())
        tables.write_records()
    lines = read_records(tmp_path / 'out' / 'table5_toy_runs.csv')
    assert [line['seed'] for line in lines] == [0, 1]
    classes = read_records(tmp_path / 'out' / 'table5_toy_classes.csv', CLASS_FIELDS)
    assert {line['seed'] for line in classes} == {0, 1}
    # Other data: what is on record does not belong to them.
    other = draw_toy_set(tmp_path / 'other', num_train=3, num_val=2, size=48, seed=1)
    runs = [make_run(row, 'toy', 1, tmp_path / 'o', data_root=other) for row in table.rows]
    execute(runs[0], FakeStages())
    records, _ = tool.Tables(arguments, table, tmp_path / 'out', runs).write_records()
    assert [line['seed'] for line in records] == [1]
    assert records[0]['data_digest'] != lines[0]['data_digest']


@pytest.mark.slow
def test_one_row_for_real(tmp_path: Path) -> None:
    data = draw_toy_set(tmp_path / 'data', num_train=6, num_val=3, size=64)
    arguments = ('--table', '5', '--rows', 'pixel_sampling', '--data-root', str(data))
    run = run_tool(tmp_path, *arguments)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    (line,) = read_records(tmp_path / 'out' / 'table5_toy_runs.csv')
    assert (line['config'], line['seed']) == ('table5_pixel_sampling', 0)
    assert (line['train_pictures'], line['val_pictures']) == (6, 3)
    assert 0 < line['train_miou'] < 100
    assert 0 <= line['val_miou'] < 100
    assert line['seconds'] > 0
    assert line['conditions'] == 'scales 1 1.5, flip'
    assert 0 <= line['val_miou_fixed'] < 100
    assert 0 <= line['train_bg_false_positives_fixed'] <= 100
    classes = read_records(tmp_path / 'out' / 'table5_toy_classes.csv', CLASS_FIELDS)
    assert len(classes) == 2 * 2 * 7
    best = [c['iou'] for c in classes if (c['split'], c['kind']) == ('train', 'best')]
    present = [value for value in best if value is not None]
    assert sum(present) / len(present) == pytest.approx(line['train_miou'], abs=0.02)
    markdown = (tmp_path / 'out' / 'table5_toy.md').read_text()
    # So short a training may have its best threshold anywhere.
    end = ' (end of the sweep)' if ends_sweep(line) else ''
    cells = f'{line["threshold"]:.2f}{end} | {line["train_miou"]:.1f}'
    assert f'| + pixel sampling | 1 | {cells} |' in markdown
    assert '| SEAM | 0 | - |' in markdown
    assert markdown in run.stdout
    classes_markdown = (tmp_path / 'out' / 'table5_toy_classes.md').read_text()
    assert '| + pixel sampling | false positives | - |' in classes_markdown
    assert '+ pixel sampling (1)' in (tmp_path / 'out' / 'table5_toy.svg').read_text()
    summary = (tmp_path / 'out' / 'table5_toy.csv').read_text()
    assert (
        f'\npixel_sampling,table5_pixel_sampling,train_miou,,1,{line["train_miou"]:.3f},\n'
        in summary
    )
    folder = tmp_path / 'work' / 'toy' / 'table5_pixel_sampling' / 'seed0' / 'work'
    assert [path.name for path in folder.glob('*.pth')] == ['iter_2.pth']
    # Started again it has nothing to do, also for the table which shares the run.
    again = run_tool(tmp_path, *arguments)
    assert '+ pixel sampling, seed 0: finished (done)' in again.stdout
    assert 'train |' not in again.stderr
    shared = run_tool(
        tmp_path, '--table', '7', '--rows', 'rescale', '--data-root', str(data), '--dry-run'
    )
    assert 'rescale, seed 0: finished (done)' in shared.stdout
    # From the file alone, without the runs.
    (tmp_path / 'work').rename(tmp_path / 'elsewhere')
    alone = run_tool(tmp_path, *arguments, '--dry-run')
    assert markdown in alone.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='elsewhere stages do not end with the tool')
def test_an_interrupt_stops_all_runs(tmp_path: Path) -> None:
    import fcntl

    data = draw_toy_set(tmp_path / 'data', num_train=6, num_val=3, size=64)
    command = [sys.executable, str(ROOT / 'tools' / 'analysis_tools' / 'run_ablation.py')]
    command += ['--table', 'presets', '--dataset', 'toy', '--rows', 'cam', 'seam', '--jobs', '2']
    command += ['--data-root', str(data), '--work-dir', str(tmp_path / 'work')]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Of the tool alone, not of its stages; a shell may have started this test without it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    ) as tool:
        begun: set[str] = set()
        for line in tool.stdout:
            begun |= {'CAM', 'SEAM'} & (
                {line.split(',')[0]} if line.endswith(': train\n') else set()
            )
            if len(begun) == 2:
                break
        tool.send_signal(signal.SIGINT)
        _, errors = tool.communicate()
    assert tool.returncode == 130, errors
    assert 'stopped; started again, the same command goes on' in errors
    # The stages hold the locks of their runs: both are free once they have ended.
    for config in ('table5_cam', 'table5_seam'):
        with (tmp_path / 'work' / 'toy' / config / 'seed0.lock').open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)


@pytest.mark.slow
def test_a_failing_run_does_not_stop_the_others(tmp_path: Path) -> None:
    data = draw_toy_set(tmp_path / 'data', num_train=6, num_val=3, size=64)
    arguments = ['--table', '5', '--rows', 'cam', 'pixel_sampling', '--jobs', '2', '--single-scale']
    run = run_tool(
        tmp_path, *arguments, '--data-root', str(data), more=['model.losses.contrast.topk=0']
    )
    assert run.returncode == 1
    assert 'error: 1 of 2 runs failed\n  + pixel sampling, seed 0: train: the command' in run.stderr
    assert 'topk must be at least 1, got 0' in run.stdout
    (line,) = read_records(tmp_path / 'out' / 'table5_toy_runs.csv')
    assert (line['config'], line['conditions']) == ('table5_cam', 'scales 1, no flip')
