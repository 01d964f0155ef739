"""The stages as rows of a table."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mmppc.report.records import Figure, Stage

STATES = {
    'finished': 'finished',
    'running': 'running',
    'stopped': 'stopped',
    'not started': 'not started',
    'recorded': 'no manifest',
}
"""State -> what readers see."""

_KINDS = {'train': 'training', 'test': 'test', 'masks': 'masks from seeds'}


@dataclass(frozen=True)
class StageRow:
    """A row: all cells as text.

    Attributes:
        mark: CSS class of the state.
        starts: How often it was started, or empty for once.
        figures: Its figures.
        details: Name -> text, for the fold-out.
        log: Last lines of its log.
    """

    name: str
    title: str
    kind: str
    state: str
    mark: str
    started: str
    duration: str
    starts: str
    threshold: str
    figures: tuple[Figure, ...]
    details: tuple[tuple[str, str], ...]
    log: tuple[str, ...]


def stage_row(stage: Stage, now: datetime) -> StageRow:
    """A row of the table.

    Args:
        stage: The stage.
        now: Time the page is made at.
    """
    state = STATES.get(stage.state, stage.state)
    if stage.last_sign is not None and stage.state in ('running', 'stopped'):
        state += f', last line {duration_text(max(0.0, now.timestamp() - stage.last_sign))} ago'
    kind = _KINDS.get(stage.do, stage.do)
    if stage.split is not None:
        kind = f'{kind} ({stage.split})' if kind else stage.split
    details = [(name, _detail(value)) for name, value in stage.details.items()]
    if stage.versions:
        details.append(('versions', ', '.join(f'{k} {v}' for k, v in stage.versions.items())))
    return StageRow(
        name=stage.name,
        title=stage.title,
        kind=kind,
        state=state,
        mark=stage.state.replace(' ', '-') if stage.state in STATES else 'recorded',
        started=time_text(stage.started),
        duration='' if stage.seconds is None else duration_text(stage.seconds),
        starts=f'{stage.attempts} starts' if stage.attempts and stage.attempts > 1 else '',
        threshold=''
        if stage.threshold is None
        else f'{stage.threshold.value:g} ({stage.threshold.source})',
        figures=stage.figures or _figures(stage),
        details=tuple(details),
        log=stage.log_tail,
    )


def duration_text(seconds: float) -> str:
    """Hours, minutes and seconds, the two largest.

    >>> duration_text(5.2), duration_text(65), duration_text(7260), duration_text(90000)
    ('5 s', '1 min 5 s', '2 h 1 min', '25 h 0 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f'{whole} s'
    if whole < 3600:
        return f'{whole // 60} min {whole % 60} s'
    return f'{whole // 3600} h {whole % 3600 // 60} min'


def time_text(text: str | None) -> str:
    """A time as in a manifest, to the minute; as it is where it is not ISO 8601.

    >>> time_text('2026-03-05T14:03:22+01:00')
    '2026-03-05 14:03'
    """
    if text is None:
        return ''
    try:
        return datetime.fromisoformat(text).strftime('%Y-%m-%d %H:%M')
    except ValueError:
        return text


def _figures(stage: Stage) -> tuple[Figure, ...]:
    """What the reports say, of a stage whose manifest says nothing."""
    found = [Figure('tag mAP', tags.mean, tags.split, '') for tags in stage.tags]
    for curve in stage.curves:
        place = curve.at(curve.best)
        value = None if place is None else float(curve.miou[place])
        found.append(Figure('seed mIoU', value, curve.split, f'threshold {curve.best:g}, its best'))
    for item in stage.evaluations:
        name = 'mask mIoU' if item.kind == 'masks' else 'mIoU'
        found.append(Figure(name, item.miou, item.split, ', '.join(item.conditions)))
    for labels in stage.labels:
        if labels.accuracy is not None:
            shares = ', '.join(f'{value:.0f} % {name}' for name, value in labels.shares.items())
            found.append(Figure('label accuracy', labels.accuracy, stage.split or '', shares))
    return tuple(figure for figure in found if figure.value is not None)


def _detail(value: Any) -> str:
    if isinstance(value, list):
        return shlex.join(map(str, value))
    if isinstance(value, Mapping):
        return ', '.join(f'{name}: {content}' for name, content in value.items())
    return str(value)
