"""Runs of ablations: trained and tested; resumed when interrupted, done again when changed."""

import json
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmppc.pipeline.ablation_data import LISTS, SPLITS, data_digest, masks_digest
from mmppc.pipeline.ablation_points import has_rates
from mmppc.pipeline.ablation_rows import ROOT, Row, row_config, row_settings
from mmppc.pipeline.digests import changes, digest, plain, summary
from mmppc.pipeline.folder_lock import folder_lock
from mmppc.pipeline.manifest import versions
from mmppc.pipeline.relevant_settings import relevant_settings
from mmppc.pipeline.stage_process import Stage
from mmppc.storage.atomic import atomic_write
from mmppc.utils.checkpoint import find_latest_checkpoint

SINGLE_SCALE = 'single_scale'
"""A setting of the tests alone: a run trained without it has the same network."""


@dataclass(frozen=True)
class Run:
    """One row, trained from one seed.

    Attributes:
        row: What is trained.
        dataset: One of :data:`~mmppc.pipeline.ablation_rows.DATASETS`.
        seed: Seed of the training.
        cfg: Config of the row, with the data folder and the seed in it.
        settings: The config as plain values without both, by which a run is known; and ``single_scale`` if its
            tests are without augmentation.
        folder: Where config, logs, checkpoints and results of this run are.
    """

    row: Row
    dataset: str
    seed: int
    cfg: Config
    settings: dict[str, Any]
    folder: Path

    @property
    def digest(self) -> str:
        """Digest of the settings that its results depend on, the same for all seeds of a row."""
        return digest([_training(self.settings), _testing(self.settings)])

    @property
    def work(self) -> Path:
        """Work folder of the training and the tests."""
        return self.folder / 'work'

    @property
    def title(self) -> str:
        """Row and seed, for people."""
        return f'{self.row.title}, seed {self.seed}'


def make_run(
    row: Row,
    dataset: str,
    seed: int,
    work_dir: Path,
    *,
    data_root: Path | None = None,
    options: Mapping[str, Any] | None = None,
    single_scale: bool = False,
) -> Run:
    """A run of a row in its folder ``<work_dir>/<dataset>/<config>/seed<seed>``; nothing is written.

    Args:
        row: What is trained.
        dataset: One of :data:`~mmppc.pipeline.ablation_rows.DATASETS`.
        seed: Seed of the training.
        work_dir: Folder of all runs.
        data_root: Where the data are; None for where the config says.
        options: Settings to override, as ``--cfg-options``.
        single_scale: Test at one scale, without mirror images.
    """
    placed: dict[str, Any] = dict(options or {})
    settings = row_settings(row, dataset, placed)
    if single_scale:
        settings[SINGLE_SCALE] = True
    placed['randomness.seed'] = seed
    if data_root is not None:
        placed['data_root'] = str(data_root.resolve())
    return Run(
        row=row,
        dataset=dataset,
        seed=seed,
        cfg=row_config(row, dataset, placed),
        settings=plain(settings),
        folder=work_dir / dataset / row.config / f'seed{seed}',
    )


def plan(run: Run) -> tuple[str, str]:
    """What is to be done for a run, and why.

    Returns:
        ``new``, ``resume``, ``test`` (train no more, test again), ``again`` or ``finished``, and a sentence.
    """
    former = _read(run.folder / 'run.json')
    if former is None:
        return 'new', 'never started'
    changed = changes(_training(former['settings']), _training(run.settings))
    if changed:
        return 'again', f'the config changed: {summary(changed)}'
    stale = _stale_tests(run, former)
    result = _read(run.folder / 'result.json')
    try:
        data, masks = data_digest(run.cfg), masks_digest(run.cfg)
    except FileNotFoundError as error:
        return ('finished', 'done') if result and not stale else ('resume', str(error))
    if former['data'] != data:
        return (
            'again',
            f'lists, tags, classes or initial weights changed: digest {former["data"]}, now {data}',
        )
    if not stale and _begun(former) and former.get('masks', masks) != masks:
        stale = 'the true masks changed'
    if stale:
        if not _checkpoint(run).is_file():
            return 'again', f'{stale}, and the checkpoint was not kept'
        return 'test', stale
    if result:
        return 'finished', 'done'
    return 'resume', f'finished so far: {", ".join(former["seconds"]) or "nothing"}'


def _training(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the training depends on."""
    return relevant_settings(settings, 'train')


def _testing(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the tests depend on, beside the network."""
    single = bool(settings.get(SINGLE_SCALE))
    return {**relevant_settings(settings, 'test', tta=not single), SINGLE_SCALE: single}


def _begun(former: Mapping[str, Any]) -> list[str]:
    """Splits whose test was begun."""
    return [split for split in SPLITS if f'{split} seeds' in former['begun']]


def _stale_tests(run: Run, former: Mapping[str, Any]) -> str:
    """Why tests that were begun or done do not hold; empty if they do."""
    begun = _begun(former)
    before, now = _testing(former['settings']), _testing(run.settings)
    if begun and before[SINGLE_SCALE] != now[SINGLE_SCALE]:
        words = {True: 'at a single scale', False: 'with augmentation'}
        return f'the tests were {words[before[SINGLE_SCALE]]}, are {words[now[SINGLE_SCALE]]}'
    changed = changes(before, now)
    if begun and changed:
        return f'the tests changed: {summary(changed)}'
    for split in begun:
        if f'{split} seeds' in former['seconds'] and not has_rates(report_path(run, split)):
            return f'no rates in the report of the test on {split}'
    return ''


def report_path(run: Run, split: str) -> Path:
    """The table that the test on a split leaves: the seeds at every threshold."""
    return run.work / f'seed_metric_{split}.csv'


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding='utf-8')) if path.is_file() else None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_write(path, 'w') as file:
        json.dump(content, file, indent=1)


def execute(
    run: Run, stage: Stage, *, keep_checkpoint: bool = True, keep_seeds: bool = False
) -> None:
    """Train a run, test its seeds on train and, at train's best threshold, on val; continue what was begun.

    Args:
        run: What to do. Its folder is emptied if its config or data changed.
        stage: Runs one command.
        keep_checkpoint: Keep the last checkpoint when the run is finished; the others go.
        keep_seeds: Keep the seeds, one file a picture.

    Raises:
        FileNotFoundError: The data are not there, or a stage did not leave what the next one needs.
        BlockingIOError: Another process works on this run.
        ChildProcessError: A stage failed.
    """
    path = run.folder.parent / f'{run.folder.name}.lock'
    with folder_lock(path, str(run.folder)) as lock:
        _execute(run, stage, keep_checkpoint, keep_seeds, lock)


def _execute(
    run: Run, stage: Stage, keep_checkpoint: bool, keep_seeds: bool, lock: tuple[int, ...]
) -> None:
    action, _ = plan(run)
    if action == 'finished':
        return
    state: dict[str, Any] = dict(
        settings=run.settings,
        data=data_digest(run.cfg),
        masks=masks_digest(run.cfg),
        versions=_versions(),
        begun=[],
        seconds={},
    )
    if action in ('new', 'again'):
        _clear(run.folder)
    else:
        former = _read(run.folder / 'run.json') or {}
        state = {**state, **former, 'settings': run.settings, 'masks': state['masks']}
    if action == 'test':
        _forget_tests(run, state)
    with atomic_write(run.folder / 'config.py', 'w') as file:
        file.write(run.cfg.pretty_text)
    _write(run.folder / 'run.json', state)
    _do(run, 'train', _train_command(run), stage, state, lock)
    checkpoint = _checkpoint(run)
    if not checkpoint.is_file():
        raise FileNotFoundError(f'the training left no checkpoint: {checkpoint} not found')
    _do(run, 'train seeds', _test_command(run, checkpoint, 'train', None), stage, state, lock)
    threshold = read_report(run, 'train')['best_threshold']
    _do(run, 'val seeds', _test_command(run, checkpoint, 'val', threshold), stage, state, lock)
    read_report(run, 'val')
    seconds = list(state['seconds'].values())
    at_start, at_end = state['versions'], _versions()
    result = {
        'seconds': None if None in seconds else round(sum(seconds), 1),
        'data_digest': state['data'],
        'versions': at_end if at_end == at_start else f'{at_start}; at the end {at_end}',
    }
    _write(run.folder / 'result.json', result)
    for path in run.work.glob('*.pth'):
        if not keep_checkpoint or path.name != checkpoint.name:
            path.unlink()
    if not keep_seeds:
        shutil.rmtree(run.work / 'seeds', ignore_errors=True)


def _clear(folder: Path) -> None:
    """Nothing of a former run may stay, not even when this is killed: what is left in part would be gone on with."""
    aside = folder.with_name(f'{folder.name}.former')
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        folder.rename(aside)
        shutil.rmtree(aside)


def _versions() -> str:
    """Versions of what the figures depend on, as text."""
    known = versions().items()
    return ', '.join(f'{name} {value}' for name, value in known if name not in ('python', 'numpy'))


def _forget_tests(run: Run, state: dict[str, Any]) -> None:
    """The training stands, its tests do not."""
    (run.folder / 'result.json').unlink(missing_ok=True)
    for path in run.work.glob('*_metric_*'):
        path.unlink()
    shutil.rmtree(run.work / 'seeds', ignore_errors=True)
    for name in [f'{split} seeds' for split in SPLITS]:
        state['seconds'].pop(name, None)
        if name in state['begun']:
            state['begun'].remove(name)


def _do(
    run: Run,
    name: str,
    command: list[str],
    stage: Stage,
    state: dict[str, Any],
    lock: tuple[int, ...],
) -> None:
    """Run a stage, unless it is finished, and note its time if it was not interrupted before."""
    if name in state['seconds']:
        return
    whole = name not in state['begun']
    if whole:
        state['begun'].append(name)
        _write(run.folder / 'run.json', state)
    start = time.time()
    log = run.folder / 'logs' / f'{name.replace(" ", "_")}.log'
    stage(f'{run.title}: {name}', command, log, pass_fds=lock)
    state['seconds'][name] = round(time.time() - start, 1) if whole else None
    _write(run.folder / 'run.json', state)


def _train_command(run: Run) -> list[str]:
    config = str(run.folder / 'config.py')
    arguments = [config, '--work-dir', str(run.work), '--no-validate', '--resume']
    return [sys.executable, str(ROOT / 'tools' / 'train.py'), *arguments]


def _test_command(run: Run, checkpoint: Path, split: str, threshold: float | None) -> list[str]:
    options = [
        f'test_dataloader.dataset.ann_file={LISTS[split]}',
        f'test_evaluator.0.split={split}',
    ]
    if threshold is not None:
        options.append(f'test_evaluator.0.threshold={threshold:g}')
    arguments = [
        str(run.folder / 'config.py'),
        str(checkpoint),
        *([] if run.settings.get(SINGLE_SCALE) else ['--tta']),
        '--work-dir',
        str(run.work),
    ]
    return [
        sys.executable, str(ROOT / 'tools' / 'test.py'), *arguments, '--cfg-options', *options
    ]  # fmt: skip


def _checkpoint(run: Run) -> Path:
    """The training's last checkpoint, which may not be there."""
    return find_latest_checkpoint(run.work) or run.work / 'iter_*.pth'


def read_report(run: Run, split: str) -> dict[str, Any]:
    """The JSON report of the test on a split.

    Raises:
        FileNotFoundError: There is none.
    """
    path = report_path(run, split).with_suffix('.json')
    report = _read(path)
    if report is None:
        raise FileNotFoundError(f'the test on {split} left no report: {path} not found')
    return report


def read_result(run: Run) -> dict[str, Any]:
    """What is known of a finished run beside its reports.

    Returns:
        ``seconds`` of training and tests, None if a stage was interrupted; ``data_digest``, ``versions``.

    Raises:
        FileNotFoundError: The run is not finished.
    """
    path = run.folder / 'result.json'
    result = _read(path)
    if result is None:
        raise FileNotFoundError(f'run not finished: {path} not found')
    return result
