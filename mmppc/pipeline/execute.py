"""Run the stages that are not finished, one after the other."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmppc.pipeline.commands import stage_command
from mmppc.pipeline.definition import Pipeline, fill
from mmppc.pipeline.figures import stage_figures
from mmppc.pipeline.manifest import count_files, read_manifest, versions, write_manifest
from mmppc.pipeline.plan import Step, Threshold, check_outputs, choose_threshold
from mmppc.pipeline.stage_config import batch_share
from mmppc.pipeline.stage_process import Stage as RunStage
from mmppc.storage.atomic import atomic_write

REPLACED = 'replaced'
CONFIG = 'config.py'
LOG = 'stage.log'


def chosen_steps(
    steps: list[Step], first: str | None, last: str | None, gpus: int = 1
) -> list[Step]:
    """The steps from ``first`` to ``last``; what comes before has to be finished.

    Raises:
        ValueError: There is no such stage, the order is wrong, an earlier stage is not finished, or ``gpus`` processes
            cannot share the batch of one of them: said now, not days later.
    """
    names = [step.stage.name for step in steps]
    for name in (first, last):
        if name is not None and name not in names:
            raise ValueError(f'no stage {name!r} in this run, the stages are {", ".join(names)}')
    start = names.index(first) if first is not None else 0
    end = names.index(last) if last is not None else len(names) - 1
    if end < start:
        raise ValueError(f'--from {first} comes after --until {last}: {", ".join(names)}')
    chosen = steps[start : end + 1]
    needed = {name for step in chosen for name in step.upstream}
    for step in steps[:start]:
        if step.stage.name in needed and step.state != 'finished':
            raise ValueError(
                f'--from {first}: it takes what {step.stage.name} makes, which is {step.state} ({step.reason}); start '
                f'from {step.stage.name}'
            )
    for step in chosen:
        if step.stage.do == 'train' and step.state != 'finished':
            batch_share(step.cfg, gpus, step.stage.name)
    return chosen


def execute(
    pipeline: Pipeline,
    steps: list[Step],
    step: Step,
    run: RunStage,
    *,
    tools: Path,
    work_dir: Path,
    gpus: int = 1,
    pass_fds: tuple[int, ...] = (),
) -> dict[str, Any]:
    """Run one stage, or what is left of it; its manifest.

    What a stale stage had made goes to ``replaced/<stage>-<id>``, and comes back when it is asked for again.

    Args:
        pipeline: The pipeline.
        steps: All stages of this run.
        step: The stage, not finished.
        run: Runs a command.
        tools: Folder of ``train.py``, ``test.py`` and ``make_masks.py``.
        work_dir: Where the stages' folders are.
        gpus: Processes of trainings and tests.
        pass_fds: Descriptors that the command keeps open.

    Raises:
        ChildProcessError: The command failed.
        FileNotFoundError: It did not leave what it should.
    """
    _make_room(step, work_dir)
    former = read_manifest(step.folder) or {}
    if former.get('state') == 'finished' and step.state != 'resume':
        return former  # it was made before, and replaced in between
    outputs = _outputs(steps, work_dir)
    threshold = _threshold(pipeline, steps, step)
    cfg = Config(fill(step.cfg.to_dict(), outputs, None if threshold is None else threshold.value))
    if step.stage.do == 'train':
        cfg.train_dataloader.batch_size = batch_share(cfg, gpus, step.stage.name)
    with atomic_write(step.folder / CONFIG, 'w') as file:
        file.write(cfg.pretty_text)
    command = _command(step, outputs, threshold, tools, gpus)
    seed = (cfg.get('randomness') or {}).get('seed')
    manifest = {
        **_as_started(step, former, threshold),
        'command': command,
        'seed': seed,
        'gpus': gpus,
    }
    write_manifest(step.folder, manifest)
    for partial in step.folder.rglob('.*.tmp'):  # of files that a kill left unfinished
        partial.unlink(missing_ok=True)
    start = time.monotonic()
    run(step.stage.title, command, step.folder / LOG, pass_fds=pass_fds)
    outputs_now = check_outputs(step)
    finished = {
        **manifest,
        'state': 'finished',
        'finished': _now(),
        'seconds': round(manifest['seconds_before'] + time.monotonic() - start, 1),
        'outputs': outputs_now,
        'files': count_files(step.folder, outputs_now),
        'figures': stage_figures(step.folder, threshold),
    }
    write_manifest(step.folder, finished)
    return finished


def _command(
    step: Step,
    outputs: Mapping[str, Mapping[str, str]],
    threshold: Threshold | None,
    tools: Path,
    gpus: int,
) -> list[str]:
    """The stage's command line."""
    checkpoint = outputs.get(step.stage.of or '', {}).get('checkpoint')
    if step.stage.do == 'test' and checkpoint is None:
        raise FileNotFoundError(f'{step.stage.name}: {step.stage.of} has left no checkpoint')
    return stage_command(
        step.stage,
        tools,
        step.folder / CONFIG,
        step.folder,
        checkpoint=Path(checkpoint) if checkpoint else None,
        seeds=fill(step.stage.seeds, outputs, None),
        threshold=threshold,
        gpus=gpus,
    )


def _as_started(
    step: Step, former: Mapping[str, Any], threshold: Threshold | None
) -> dict[str, Any]:
    """The manifest of a stage that starts now, for the first time or again."""
    chosen = None if threshold is None else {'value': threshold.value, 'source': threshold.source}
    return {
        'stage': step.stage.name,
        'title': step.stage.title,
        'do': step.stage.do,
        'state': 'running',
        'id': step.id,
        'settings': step.settings,
        'data': step.data,
        'upstream': step.upstream,
        'split': step.split,
        'versions': versions(),
        'started': former.get('started') or _now(),
        'begun': round(time.time(), 1),
        'seconds_before': _spent(former, step.folder / LOG),
        'seconds': None,
        'attempts': former.get('attempts', 0) + 1,
        'outputs': {},
        'threshold': chosen,
        'figures': [],
    }


def _spent(former: Mapping[str, Any], log: Path) -> float:
    """Seconds of a stage's earlier starts; of one that was killed, until the last line of its log."""
    if former.get('seconds') is not None:
        return former['seconds']
    before = former.get('seconds_before') or 0.0
    if former.get('begun') is not None and log.is_file():
        before += max(0.0, log.stat().st_mtime - former['begun'])
    return round(before, 1)


def _make_room(step: Step, work_dir: Path) -> None:
    """Put aside what is in the stage's folder of another id, and take back what was made of this one before."""
    if step.state not in ('stale', 'new'):
        return
    if step.folder.exists():
        former = read_manifest(step.folder)
        if former is not None:
            _put_aside(step.folder, work_dir / REPLACED / f'{step.stage.name}-{former["id"]}')
        else:
            ours = (CONFIG, '.')  # written before the manifest; hidden ones were not finished
            others = sorted(
                path.name for path in step.folder.iterdir() if not path.name.startswith(ours)
            )
            if others:
                raise FileExistsError(
                    f'{step.folder}: has {", ".join(others[:3])} and no manifest.json, so it was not made by this '
                    'pipeline, whose stage goes there; choose another --work-dir, or move it away'
                )
    aside = work_dir / REPLACED / f'{step.stage.name}-{step.id}'
    if read_manifest(aside) is not None:
        shutil.rmtree(step.folder, ignore_errors=True)  # config.py at most
        aside.rename(step.folder)


def _put_aside(folder: Path, aside: Path) -> None:
    aside.parent.mkdir(parents=True, exist_ok=True)
    if aside.exists():  # of the very same id: a copy that was put aside by hand
        shutil.rmtree(aside)
    folder.rename(aside)


def as_finished(steps: list[Step], done: Step) -> list[Step]:
    """The steps with one of them finished."""
    return [
        replace(step, state='finished', reason='done') if step is done else step for step in steps
    ]


def _outputs(steps: list[Step], work_dir: Path) -> dict[str, dict[str, str]]:
    """Stage -> output -> absolute path, of the stages that are finished."""
    found = {}
    for step in steps:
        manifest = read_manifest(step.folder) if step.state == 'finished' else None
        outputs = (manifest or {}).get('outputs') or {}
        paths = {name: str(step.folder / path) for name, path in outputs.items()}
        found[step.stage.name] = {'folder': str(work_dir / step.stage.name), **paths}
    return found


def _threshold(pipeline: Pipeline, steps: list[Step], step: Step) -> Threshold | None:
    """The threshold that goes into a stage, if one does."""
    if step.stage.takes_threshold():
        return choose_threshold(pipeline, steps, step)
    if isinstance(step.stage.threshold, (int, float)):
        return Threshold(float(step.stage.threshold), 'given in the pipeline')
    return None


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec='seconds')
