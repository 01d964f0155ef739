"""Every evaluation of a run in one form, and the key figures made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmppc.functional.sweep import confusion_iou, mean_iou
from mmppc.report.columns import Column
from mmppc.report.records import (
    KINDS,
    NOUNS,
    PREDICTIONS,
    SEEDS,
    Evaluation,
    Run,
    SeedCurve,
    Stage,
)

_STYLES = 8
"""Colours of series there are; further ones begin again."""


@dataclass(frozen=True)
class Series:
    """An evaluation as the charts show it.

    Attributes:
        label: For people, unique on the page.
        style: CSS class of its colour.
        evaluation: The figures.
        stage: Title of the stage that made it, or empty.
        curve: Of seeds: their figures at all thresholds.
    """

    label: str
    style: str
    evaluation: Evaluation
    stage: str
    curve: SeedCurve | None = None


@dataclass(frozen=True)
class KeyFigure:
    """A number for the top of the page.

    Attributes:
        name: What it measures.
        value: In percent, as text.
        split: Whose pictures.
        conditions: How it was made.
        remark: A second figure beside it, or empty.
        stage: Title of its stage where another figure has the same name and split, or empty.
    """

    name: str
    value: str
    split: str
    conditions: tuple[str, ...]
    remark: str = ''
    stage: str = ''


def all_series(
    run: Run,
    columns: Sequence[Column] | None = None,
    confusions: Mapping[tuple[str, str], np.ndarray] | None = None,
) -> list[Series]:
    """All evaluations in the pipeline's order: seeds, masks, segmentation; within each by stage.

    Args:
        run: The run.
        columns: Columns that were scored from their files.
        confusions: What was counted there, by split and column; stands in where a report has no matrix, or where
            there is no report.
    """
    found: list[tuple[Stage | None, Evaluation, SeedCurve | None]] = []
    counted = dict(confusions or {})
    for stage in run.stages:
        made = [(_of_curve(curve, run), curve) for curve in stage.curves]
        for evaluation, curve in [*made, *((item, None) for item in stage.evaluations)]:
            column = _column(columns or (), stage, evaluation)
            counts = None if column is None else counted.pop((evaluation.split, column.key), None)
            fits = list(evaluation.iou) == list(run.data.classes)
            if evaluation.confusion is None and fits and counts is not None:
                evaluation = replace(evaluation, confusion=counts)
            found.append((stage, evaluation, curve))
    stages = {stage.name: stage for stage in run.stages}
    for (split, key), confusion in counted.items():
        column = next(column for column in columns or () if column.key == key)
        maker = stages.get(column.stages.get(split, ''))
        found.append((maker, _of_files(column, split, confusion, run), None))
    found.sort(key=lambda item: KINDS.index(item[1].kind))
    names = [f'{NOUNS[item.kind]}, {item.split}' for _, item, _ in found]
    series = []
    for position, ((maker, item, curve), name) in enumerate(zip(found, names)):
        title = maker.title if maker else ''
        label = f'{name} ({title})' if names.count(name) > 1 and title else name
        style = f'c{position % _STYLES + 1}'
        series.append(Series(label, style, item, title, curve))
    return series


def key_figures(run: Run, series: Sequence[Series]) -> list[KeyFigure]:
    """Tag mAP, then the mIoU of every evaluation; of stages without reports what their manifests say."""
    figures = []
    for stage in run.stages:
        for tags in stage.tags:
            if tags.mean is not None:
                conditions = (*_pictures(tags.pictures), *tags.conditions)
                figures.append(
                    KeyFigure(
                        'Tag mAP', f'{tags.mean:.1f}', tags.split, conditions, stage=stage.title
                    )
                )
    names = {SEEDS: 'Seed mIoU', PREDICTIONS: 'Final mIoU'}
    for item in series:
        evaluation = item.evaluation
        if evaluation.miou is None:
            continue
        figures.append(
            KeyFigure(
                names.get(evaluation.kind, 'Mask mIoU'),
                f'{evaluation.miou:.1f}',
                evaluation.split,
                (*_pictures(evaluation.pictures), *evaluation.conditions),
                _remark(item),
                item.stage,
            )
        )
    for stage in run.stages:
        if stage.evaluations or stage.curves or stage.tags:
            continue
        for figure in stage.figures:
            if figure.value is not None:
                figures.append(
                    KeyFigure(
                        figure.name,
                        f'{figure.value:.1f}',
                        figure.split,
                        (figure.conditions,) if figure.conditions else (),
                        stage=stage.title,
                    )
                )
    names_and_splits = [(figure.name, figure.split) for figure in figures]
    return [
        figure
        if names_and_splits.count((figure.name, figure.split)) > 1
        else replace(figure, stage='')
        for figure in figures
    ]


def _of_curve(curve: SeedCurve, run: Run) -> Evaluation:
    """The seeds at the threshold the run settled on, where the curve has it; else at their best one."""
    threshold, origin = curve.best, f'best of {curve.split} itself'
    if run.threshold is not None and curve.at(run.threshold.value) is not None:
        threshold, origin = run.threshold.value, run.threshold.source
    place = curve.at(threshold)
    iou: dict[str, float | None] = {}
    miou = None
    if place is not None:
        iou = {name: _known(values[place]) for name, values in curve.iou.items()}
        miou = _known(curve.miou[place])
    matrix = next(
        (counts for at, counts in curve.confusions.items() if np.isclose(at, threshold)), None
    )
    conditions = (f'threshold {threshold:g} ({origin})', *curve.conditions)
    return Evaluation(SEEDS, curve.split, miou, iou, curve.pictures, conditions, matrix, threshold)


def _column(columns: Sequence[Column], stage: Stage, evaluation: Evaluation) -> Column | None:
    """The column of the very label maps that an evaluation is about."""
    for column in columns:
        if column.kind == evaluation.kind and column.stages.get(evaluation.split) == stage.name:
            at = evaluation.threshold
            if at is None or (column.threshold is not None and np.isclose(at, column.threshold)):
                return column
    return None


def _of_files(column: Column, split: str, confusion: np.ndarray, run: Run) -> Evaluation:
    iou = 100 * confusion_iou(confusion)
    origin = 'measured from the files for this page'
    if column.threshold is not None:
        source = run.threshold.source if run.threshold else 'given'
        origin = f'threshold {column.threshold:g} ({source}), {origin}'
    return Evaluation(
        kind=column.kind,
        split=split,
        miou=_known(float(mean_iou(iou))),
        iou={name: _known(value) for name, value in zip(run.data.classes, iou)},
        pictures=None,
        conditions=(origin,),
        confusion=confusion,
    )


def _remark(item: Series) -> str:
    """Of seeds the best figure that any threshold gives, where another one was chosen."""
    curve, at = item.curve, item.evaluation.threshold
    if curve is None or at is None or np.isclose(curve.best, at):
        return ''
    place = curve.at(curve.best)
    if place is None:
        return ''
    return f'{curve.miou[place]:.1f} at {curve.best:g}, the best of {curve.split} itself'


def _pictures(count: int | None) -> tuple[str, ...]:
    return () if count is None else (f'{count:,} pictures',)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
