"""Runs of ablations: trained, tested, recorded; resumed when interrupted, done again when changed."""

import json
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmppc.pipeline.ablation_rows import ROOT, Row, row_config
from mmppc.pipeline.digests import changes, digest, files_digest, plain, summary
from mmppc.pipeline.figures import variants
from mmppc.pipeline.folder_lock import folder_lock
from mmppc.pipeline.manifest import versions
from mmppc.pipeline.stage_process import Stage
from mmppc.storage.atomic import atomic_write

LISTS = {split: f'ImageSets/Segmentation/{split}.txt' for split in ('train', 'val')}


def data_digest(cfg: Config) -> str:
    """Digest of the lists and the file of tags that the runs use; files that are not there are left out.

    Raises:
        FileNotFoundError: The data folder is missing.
    """
    dataset = cfg.train_dataloader.dataset
    root = Path(dataset.data_root)
    if not root.is_dir():
        raise FileNotFoundError(f'data_root not found: {root}')
    names = (dataset.ann_file, *LISTS.values(), dataset.tag_file)
    return files_digest((name, root / name) for name in names if (root / name).is_file())


@dataclass(frozen=True)
class Run:
    """One row, trained from one seed.

    Attributes:
        row: What is trained.
        dataset: ``voc``, ``toy`` or ``laptop``.
        seed: Seed of the training.
        cfg: Config of the row, with the data folder and the seed in it.
        settings: The config as plain values without both, by which a run is known.
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
        """Digest of the settings, the same for all seeds of a row."""
        return digest(self.settings)

    @property
    def work(self) -> Path:
        """Work folder of the training and the tests."""
        return self.folder / 'work'


def make_run(
    row: Row,
    dataset: str,
    seed: int,
    work_dir: Path,
    *,
    data_root: Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> Run:
    """A run of a row in its folder ``<work_dir>/<dataset>/<config>/seed<seed>``; nothing is written."""
    placed: dict[str, Any] = dict(options or {})
    settings = row_config(row, dataset, placed).to_dict()
    placed['randomness.seed'] = seed
    if data_root is not None:
        placed['data_root'] = str(data_root.resolve())
    settings.pop('work_dir', None)
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
        ``new``, ``resume``, ``again`` or ``finished``, and a sentence.
    """
    former = _read(run.folder / 'run.json')
    if former is None:
        return 'new', 'never started'
    changed = changes(former['settings'], run.settings)
    if changed:
        return 'again', f'the config changed: {summary(changed)}'
    try:
        data = data_digest(run.cfg)
    except FileNotFoundError as error:
        return ('finished', 'done') if _result(run) else ('resume', str(error))
    if former['data'] != data:
        return 'again', f'the lists or tags changed: digest {former["data"]}, now {data}'
    if _result(run):
        return 'finished', 'done'
    return 'resume', f'finished so far: {", ".join(former["seconds"]) or "nothing"}'


def _result(run: Run) -> dict[str, Any] | None:
    return _read(run.folder / 'result.json')


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding='utf-8')) if path.is_file() else None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_write(path, 'w') as file:
        json.dump(content, file, indent=1)


def execute(
    run: Run, stage: Stage, *, keep_checkpoint: bool = True, keep_seeds: bool = False
) -> dict[str, Any]:
    """Train a run, test its seeds on train and, at train's best threshold, on val; continue what was begun.

    Args:
        run: What to do. Its folder is emptied if its config or data changed.
        stage: Runs one command.
        keep_checkpoint: Keep the last checkpoint when the run is finished; the others go.
        keep_seeds: Keep the seeds, one file a picture.

    Returns:
        The run's record, see :func:`read_result`.

    Raises:
        FileNotFoundError: The data are not there, or a stage did not leave what the next one needs.
        BlockingIOError: Another process works on this run.
        ChildProcessError: A stage failed.
    """
    path = run.folder.parent / f'{run.folder.name}.lock'
    with folder_lock(path, str(run.folder)) as lock:
        return _execute(run, stage, keep_checkpoint, keep_seeds, lock)


def _execute(
    run: Run, stage: Stage, keep_checkpoint: bool, keep_seeds: bool, lock: tuple[int, ...]
) -> dict[str, Any]:
    action, _ = plan(run)
    if action == 'finished':
        return read_result(run)
    state = {'settings': run.settings, 'data': data_digest(run.cfg), 'begun': [], 'seconds': {}}
    if action == 'again':
        shutil.rmtree(run.folder)
    elif action == 'resume':
        state = _read(run.folder / 'run.json') or state
    with atomic_write(run.folder / 'config.py', 'w') as file:
        file.write(run.cfg.pretty_text)
    if action != 'resume':
        _write(run.folder / 'run.json', state)
    _do(run, 'train', _train_command(run), stage, state, lock)
    checkpoint = _checkpoint(run)
    _do(run, 'train seeds', _test_command(run, checkpoint, 'train', None), stage, state, lock)
    threshold = _report(run, 'train')['best_threshold']
    _do(run, 'val seeds', _test_command(run, checkpoint, 'val', threshold), stage, state, lock)
    _write(run.folder / 'result.json', _record(run, state))
    for path in run.work.glob('*.pth'):
        if not keep_checkpoint or path.name != checkpoint.name:
            path.unlink()
    if not keep_seeds:
        shutil.rmtree(run.work / 'seeds', ignore_errors=True)
    return read_result(run)


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
    title = f'{run.row.title}, seed {run.seed}: {name}'
    stage(title, command, log, pass_fds=lock)
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
        '--tta',
        '--work-dir',
        str(run.work),
    ]
    return [
        sys.executable, str(ROOT / 'tools' / 'test.py'), *arguments, '--cfg-options', *options
    ]  # fmt: skip


def _checkpoint(run: Run) -> Path:
    """The training's last checkpoint."""
    named = run.work / 'last_checkpoint'
    if not named.is_file():
        raise FileNotFoundError(f'the training left no checkpoint: {named} not found')
    return run.work / Path(named.read_text(encoding='utf-8').strip()).name


def _report(run: Run, split: str) -> dict[str, Any]:
    path = run.work / f'seed_metric_{split}.json'
    report = _read(path)
    if report is None:
        raise FileNotFoundError(f'the test on {split} left no report: {path} not found')
    return report


def _record(run: Run, state: Mapping[str, Any]) -> dict[str, Any]:
    train, val = _report(run, 'train'), _report(run, 'val')
    seconds = list(state['seconds'].values())
    return {
        'dataset': run.dataset,
        'config': run.row.config,
        'seed': run.seed,
        'train_miou': train['mIoU'],
        'threshold': train['best_threshold'],
        'val_miou': val['given_threshold']['mIoU'],
        'fg_recall': train['fg_recall'],
        'bg_false_positives': train['bg_false_positives'],
        'train_pictures': train['pictures'],
        'val_pictures': val['pictures'],
        'seconds': None if None in seconds else round(sum(seconds), 1),
        'conditions': variants(train),
        'config_digest': run.digest,
        'data_digest': state['data'],
        'versions': ', '.join(
            f'{name} {version}'
            for name, version in versions().items()
            if name not in ('python', 'numpy')
        ),
    }


def read_result(run: Run) -> dict[str, Any]:
    """The record of a finished run.

    Returns:
        ``dataset``, ``config``, ``seed``; ``train_miou`` at the best ``threshold`` of train, ``fg_recall`` and
        ``bg_false_positives`` there; ``val_miou`` at that threshold (in percent); ``train_pictures``, ``val_pictures``;
        ``seconds`` of training and tests, None if a stage was interrupted; ``conditions``, ``config_digest``,
        ``data_digest``, ``versions``.

    Raises:
        FileNotFoundError: The run is not finished.
    """
    record = _result(run)
    if record is None:
        raise FileNotFoundError(f'run not finished: {run.folder / "result.json"} not found')
    return record
