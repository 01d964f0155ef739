"""Reads a work folder, finished or not, into a :class:`~mmppc.report.records.Run`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mmppc.report.records import Data, Figure, Run, SeedCurve, Stage, Threshold
from mmppc.report.run_data import data_of_configs, data_of_record, palette_of
from mmppc.report.scalars import read_scalars
from mmppc.report.stage_reports import (
    Notes,
    mask_threshold,
    masks_report,
    read_contrast,
    read_curves,
    read_evaluations,
    read_json,
    read_labels,
    read_tag_scores,
)

PIPELINE = 'pipeline.json'
MANIFEST = 'manifest.json'
LOG = 'stage.log'
LOCK = 'lock'
_TAIL = 20
_TAIL_BYTES = 16_384
_DETAILS = ('command', 'id', 'upstream', 'data', 'outputs', 'seed', 'gpus')


def collect(folder: Path) -> Run:
    """Read a pipeline's work folder, one of its stages, or a work folder of ``tools/train.py`` and ``tools/test.py``.

    What is missing or damaged is left out and noted; nothing of the folder is written.

    Raises:
        FileNotFoundError: If there is no such folder, or nothing of a run in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder}: no such work folder')
    notes = Notes()
    pipeline = read_json(folder / PIPELINE, notes)
    if pipeline is not None or (folder / PIPELINE).is_file():
        return _pipeline(folder, pipeline or {}, notes)
    return _single(folder, notes)


def _pipeline(folder: Path, record: Mapping[str, Any], notes: Notes) -> Run:
    planned = _planned(record.get('stages'))
    found = sorted(path.parent.name for path in folder.glob(f'*/{MANIFEST}'))
    names = dict.fromkeys([*planned, *found])
    live = _is_locked(folder / LOCK)
    stages = [_stage(folder / name, planned.get(name), notes, live) for name in names]
    data = data_of_record(record.get('data'), notes)
    if not data.classes:
        data = _with_classes_of(data, stages, notes)
    config = record.get('config')
    return Run(
        folder=folder,
        name=str(record.get('name') or folder.resolve().name),
        config=None if config is None else str(config),
        seed=_seed(record.get('seed'), stages),
        data=data,
        stages=tuple(stages),
        threshold=_chosen(stages, notes),
        notes=tuple(notes),
    )


def _single(folder: Path, notes: Notes) -> Run:
    """A stage by itself: the folder of a pipeline's stage, or of the tools."""
    manifest = (folder / MANIFEST).is_file()
    live = _is_locked(folder.parent / LOCK) if manifest else None
    stage = _stage(folder, None, notes, live)
    known = stage.evaluations or stage.curves or stage.tags or stage.scalars.series
    if not (manifest or known or any(folder.glob('*/vis_data')) or any(folder.glob('*.pth'))):
        raise FileNotFoundError(
            f'{folder}: found no {PIPELINE} and nothing of tools/train.py or tools/test.py, expected the work folder '
            'of a pipeline or of these tools'
        )
    parent = read_json(folder.parent / PIPELINE, notes) if manifest else None
    if parent is None:
        data, seed = data_of_configs(folder, notes)
    else:
        data, seed = data_of_record(parent.get('data'), notes), stage.details.get('seed')
    if not data.classes:
        data = _with_classes_of(data, [stage], notes)
    configs = sorted(folder.glob('*.py'))
    return Run(
        folder=folder,
        name=folder.resolve().name,
        config=configs[0].name if configs else None,
        seed=_integer(seed),
        data=data,
        stages=(stage,),
        threshold=_chosen([stage], notes),
        notes=tuple(notes),
    )


def _planned(stages: Any) -> dict[str, Mapping[str, Any]]:
    """Names in order, each with what the plan says of it; given as names, as a mapping or as records with a name."""
    if isinstance(stages, Mapping):
        return {str(name): _mapping(content) for name, content in stages.items()}
    found: dict[str, Mapping[str, Any]] = {}
    for item in stages if isinstance(stages, list) else ():
        content = _mapping(item)
        name = content.get('name') or content.get('stage') if content else item
        if isinstance(name, str) and name:
            found[name] = content
    return found


def _stage(
    folder: Path, planned: Mapping[str, Any] | None, notes: Notes, live: bool | None
) -> Stage:
    """A stage by its folder.

    Args:
        planned: What the pipeline's record says of it; None if it does not name it.
        live: Whether a pipeline works in the folder now; None if that cannot be told.
    """
    manifest = read_json(folder / MANIFEST, notes) or {}
    settings, planned_settings = _mapping(manifest.get('settings')), planned or {}

    def said(key: str) -> Any:
        return manifest.get(key, settings.get(key, planned_settings.get(key)))

    state = manifest.get('state') or ('not started' if planned is not None else 'recorded')
    if state == 'running' and live is False:
        state = 'stopped'
    scalars, log_notes = read_scalars(folder)
    for note in log_notes:
        notes.add(note)
    split = _text(said('split'))
    evaluations = read_evaluations(folder, split, notes)
    curves = read_curves(folder, notes)
    tags = read_tag_scores(folder, notes)
    told = {
        *(item.split for item in evaluations),
        *(curve.split for curve in curves),
        *(item.split for item in tags),
    }
    last_sign, tail = (None, ()) if state == 'finished' else _end_of_log(folder / LOG)
    threshold = _mapping(manifest.get('threshold'))
    value = _float(threshold.get('value'))
    return Stage(
        name=folder.resolve().name,
        title=str(said('title') or folder.resolve().name),
        do=_text(said('do')) or '',
        state=str(state),
        folder=folder,
        split=split or (told.pop() if len(told) == 1 and manifest else None),
        started=_text(manifest.get('started')) or _first_start(folder),
        seconds=_float(manifest.get('seconds')),
        attempts=_integer(manifest.get('attempts')),
        last_sign=last_sign,
        log_tail=tail,
        threshold=None
        if value is None
        else Threshold(value, str(threshold.get('source') or 'given')),
        figures=_figures(manifest.get('figures')),
        versions={k: str(v) for k, v in _mapping(manifest.get('versions')).items()},
        details={key: manifest[key] for key in _DETAILS if manifest.get(key) not in (None, {}, [])},
        evaluations=evaluations,
        curves=curves,
        tags=tags,
        labels=read_labels(folder, notes),
        scalars=scalars,
        contrast=read_contrast(folder, notes),
    )


def _figures(content: Any) -> tuple[Figure, ...]:
    figures = []
    for item in content if isinstance(content, list) else ():
        record = _mapping(item)
        if not record.get('name') or _float(record.get('value')) is None:
            continue
        conditions = record.get('conditions')
        if isinstance(conditions, Mapping):
            conditions = ', '.join(f'{key} {value}' for key, value in conditions.items())
        elif isinstance(conditions, list):
            conditions = ', '.join(map(str, conditions))
        figures.append(
            Figure(
                name=str(record['name']),
                value=_float(record.get('value')),
                split=str(record.get('split') or ''),
                conditions=str(conditions or ''),
            )
        )
    return tuple(figures)


def _seed(said: Any, stages: list[Stage]) -> int | None:
    """The seed of everything random: the one of the record, else the one of all stages if it is one."""
    seeds = {_integer(stage.details.get('seed')) for stage in stages if 'seed' in stage.details}
    return _integer(said) if said is not None or len(seeds) != 1 else seeds.pop()


def _chosen(stages: list[Stage], notes: Notes) -> Threshold | None:
    """The threshold that masks were made with; else one that a stage was given; else the best one of the seeds."""
    for stage in sorted(stages, key=lambda stage: stage.do != 'masks'):
        found = stage.threshold or mask_threshold(stage.folder, notes)
        if found is not None:
            return found
    curves: list[SeedCurve] = [curve for stage in stages for curve in stage.curves]
    curves.sort(key=lambda curve: curve.split != 'train')
    if not curves:
        return None
    return Threshold(curves[0].best, f'best of {curves[0].split}')


def _with_classes_of(data: Data, stages: list[Stage], notes: Notes) -> Data:
    """``data`` with the classes that the stages' reports name."""
    for stage in stages:
        named = (masks_report(stage.folder, notes) or {}).get('classes')
        found = [named] if isinstance(named, list) else []
        found += [list(item.iou) for item in stage.evaluations if item.iou]
        found += [list(curve.iou) for curve in stage.curves if curve.iou]
        if found:
            classes = tuple(map(str, found[0]))
            return replace(data, classes=classes, palette=palette_of(classes, data.palette))
    return data


def _end_of_log(path: Path) -> tuple[float | None, tuple[str, ...]]:
    """When a log was written last, and its last lines."""
    try:
        with path.open('rb') as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode('utf-8', errors='replace')
        changed = path.stat().st_mtime
    except OSError:
        return None, ()
    return min(changed, time.time()), tuple(text.splitlines()[-_TAIL:])


def _is_locked(path: Path) -> bool | None:
    """Whether a process holds a pipeline's lock; None where there is no lock file, or no such locks."""
    try:
        import fcntl

        with path.open('rb') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
    except (OSError, ImportError):
        return None


def _first_start(folder: Path) -> str | None:
    """When MMEngine first worked in a folder, as it names its own folders."""
    for path in sorted(folder.glob('*/vis_data')):
        try:
            return datetime.strptime(path.parent.name, '%Y%m%d_%H%M%S').isoformat()
        except ValueError:
            continue
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    """A text; of a list its only entry."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) and value else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)
