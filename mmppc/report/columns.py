"""What there is to show of every picture: a column for each folder of label maps that a stage made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmppc.refinement.records import PictureRecord
from mmppc.report.records import KINDS, MASKS, PREDICTIONS, SEEDS, Run, Stage

_LABELS = {SEEDS: 'seed', MASKS: 'mask', PREDICTIONS: 'prediction'}
_SUFFIXES = {SEEDS: '.npz', MASKS: '.png', PREDICTIONS: '.png'}


@dataclass(frozen=True)
class Column:
    """Label maps of one kind.

    Attributes:
        key: Names it on the page, and joins those of different splits: ``seeds``, ``masks``, ``masks-2``, ...
        label: For people.
        kind: One of :data:`~mmppc.report.records.KINDS`.
        threshold: Of seeds: the background threshold that makes labels of them.
        stages: Split -> name of the stage that made them.
    """

    key: str
    label: str
    kind: str
    threshold: float | None = None
    stages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PictureFiles:
    """A picture and the files that stages made of it.

    Attributes:
        files: Column key -> file, which exists.
    """

    record: PictureRecord
    split: str
    files: Mapping[str, Path]


def find_columns(run: Run) -> tuple[list[Column], list[PictureFiles]]:
    """Columns of a run in the pipeline's order, and the pictures of all splits with their files."""
    columns: dict[str, Column] = {}
    titles: dict[str, list[str]] = {}
    found: list[PictureFiles] = []
    for split, records in run.data.splits.items():
        files: list[dict[str, Path]] = [{} for _ in records]
        for kind in KINDS:
            number = 0
            for stage in run.stages:
                paths = _files(stage, kind, split, records)
                if not any(paths):
                    continue
                number += 1
                key = kind if number == 1 else f'{kind}-{number}'
                titles.setdefault(key, []).append(stage.title)
                known = columns.get(key) or Column(key, _LABELS[kind], kind, _threshold(run, kind))
                columns[key] = replace(known, stages={**known.stages, split: stage.name})
                for own, path in zip(files, paths):
                    if path is not None:
                        own[key] = path
        found += [
            PictureFiles(record, split, own) for record, own in zip(records, files, strict=True)
        ]
    order = sorted(columns, key=lambda key: (KINDS.index(columns[key].kind), key))
    return [_labelled(columns[key], titles) for key in order], found


def _labelled(column: Column, titles: Mapping[str, list[str]]) -> Column:
    """A column whose label names the stages where there are several of its kind."""
    kind = column.kind
    if f'{kind}-2' not in titles:
        return column
    names = ' / '.join(dict.fromkeys(titles[column.key]))
    return replace(column, label=f'{column.label}: {names}')


def _threshold(run: Run, kind: str) -> float | None:
    if kind != SEEDS or run.threshold is None:
        return None
    return run.threshold.value


def _files(
    stage: Stage, kind: str, split: str, records: tuple[PictureRecord, ...]
) -> list[Path | None]:
    """The stage's file of every picture, None where there is none."""
    folder = stage.folder / kind
    if not folder.is_dir() or (stage.split is not None and stage.split != split):
        return []
    paths = [folder / f'{record.sample_id}{_SUFFIXES[kind]}' for record in records]
    return [path if path.is_file() else None for path in paths]
