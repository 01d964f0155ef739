"""The reports that the stages' metrics and jobs leave in a folder."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmppc.report.records import (
    MASKS,
    PREDICTIONS,
    Evaluation,
    LabelScores,
    SeedCurve,
    TagScores,
    Threshold,
)
from mmppc.storage.contrast_quality import NAME as CONTRAST
from mmppc.storage.contrast_quality import read_evaluations as read_evaluations_of_contrast


class Notes(list[str]):
    """What could not be read, each once."""

    def add(self, text: str) -> None:
        if text not in self:
            self.append(text)


def read_json(path: Path, notes: Notes) -> dict[str, Any] | None:
    """A JSON object; None, with a note unless the file is merely missing."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        notes.add(f'{path}: not a JSON file that can be read ({error})')
        return None
    if not isinstance(content, dict):
        notes.add(f'{path}: found {type(content).__name__}, expected a JSON object')
        return None
    return content


def condition_texts(conditions: Any) -> tuple[str, ...]:
    """How a test was made, for people, from the ``conditions`` of a report.

    >>> condition_texts({'tta': True, 'scales': [0.5, 1.0], 'flip': True})
    ('scales 0.5, 1', 'flip')
    >>> condition_texts({'tta': True})
    ('test-time augmentation',)
    """
    if not isinstance(conditions, Mapping):
        return ()
    texts = []
    for key, name, unit in (('scales', 'scale', ''), ('long_sides', 'long side', ' px')):
        values = conditions.get(key)
        if isinstance(values, Sequence) and not isinstance(values, str) and values:
            shown = ', '.join(f'{v:g}' if isinstance(v, (int, float)) else str(v) for v in values)
            texts.append(f'{name}{"s" if len(values) > 1 else ""} {shown}{unit}')
    if 'flip' in conditions:
        texts.append('flip' if conditions['flip'] else 'no flip')
    if not texts and 'tta' in conditions:
        texts.append('test-time augmentation' if conditions['tta'] else 'no test-time augmentation')
    known = ('scales', 'long_sides', 'flip', 'tta', 'checkpoint')
    texts += [
        f'{key} {value}'
        for key, value in conditions.items()
        if key not in known and isinstance(value, (str, int, float))
    ]
    return tuple(texts)


def read_tag_scores(folder: Path, notes: Notes) -> tuple[TagScores, ...]:
    """``tag_metric_<split>.json`` of a folder."""
    found = []
    for path in sorted(folder.glob('tag_metric_*.json')):
        report = read_json(path, notes)
        if report is not None:
            found.append(
                TagScores(
                    split=_split(path, report),
                    mean=_number(report.get('mAP')),
                    classes=_numbers(report.get('AP')),
                    pictures=_count(report.get('pictures')),
                    conditions=condition_texts(report.get('conditions')),
                )
            )
    return tuple(found)


def read_curves(folder: Path, notes: Notes) -> tuple[SeedCurve, ...]:
    """``seed_metric_<split>.json`` with their ``.csv``."""
    found = []
    for path in sorted(folder.glob('seed_metric_*.json')):
        report = read_json(path, notes)
        if report is None:
            continue
        best = _number(report.get('best_threshold'))
        if best is None:
            notes.add(f'{path}: field best_threshold: expected a number')
            continue
        given = report.get('given_threshold')
        given = given if isinstance(given, dict) else {}
        table = path.with_suffix('.csv')
        points = _read_csv(table, notes, report.get('IoU')) or _two_points(report, best, given)
        matrices = {
            threshold: matrix
            for threshold, content in ((best, report), (_number(given.get('threshold')), given))
            if threshold is not None and (matrix := _matrix(content.get('confusion'))) is not None
        }
        found.append(
            SeedCurve(
                split=_split(path, report),
                thresholds=points[0],
                miou=points[1],
                iou=points[2],
                best=best,
                pictures=_count(report.get('pictures')),
                conditions=condition_texts(report.get('conditions')),
                confusions=matrices,
            )
        )
    return tuple(found)


def read_evaluations(folder: Path, split: str | None, notes: Notes) -> tuple[Evaluation, ...]:
    """``mask_metric_<split>.json``, and the IoU of ``masks.json``.

    What a test writes by ``PseudoMaskHook`` are pseudo masks, the stage's product; the label maps of others are
    predictions.

    Args:
        split: Whose pictures the folder's masks are, where its reports do not say it.
    """
    masks = masks_report(folder, notes)
    kind = MASKS if masks is not None and masks.get('made_by') else PREDICTIONS
    found = []
    for path in sorted(folder.glob('mask_metric_*.json')):
        report = read_json(path, notes)
        if report is None:
            continue
        crf = report.get('crf')
        conditions = condition_texts(report.get('conditions'))
        conditions += ('no CRF' if crf == 'none' else f'CRF {crf}',) if crf else ()
        found.append(
            Evaluation(
                kind=kind,
                split=_split(path, report),
                miou=_number(report.get('mIoU')),
                iou=_numbers(report.get('IoU')),
                pictures=_count(report.get('pictures')),
                conditions=conditions,
                confusion=_matrix(report.get('confusion')),
            )
        )
    if masks is not None and _number(masks.get('mIoU')) is not None:
        found.append(
            Evaluation(
                kind=MASKS,
                split=split or 'train',
                miou=_number(masks.get('mIoU')),
                iou=_numbers(masks.get('IoU')),
                pictures=_count(masks.get('evaluated')),
                conditions=_mask_conditions(masks),
            )
        )
    return tuple(found)


def read_labels(folder: Path, notes: Notes) -> tuple[LabelScores, ...]:
    """``labels.json`` of confident labels, the one of the folder or of its ``labels/``."""
    for path in (folder / 'labels.json', folder / 'labels' / 'labels.json'):
        report = read_json(path, notes)
        if report is None:
            continue
        shares = {
            name: value
            for name in ('background', 'foreground', 'unsure')
            if (value := _number(report.get(name))) is not None
        }
        if shares:
            accuracy = _number(report.get('accuracy'))
            return (LabelScores(shares, accuracy, _count(report.get('pictures'))),)
    return ()


def read_contrast(folder: Path, notes: Notes) -> tuple[dict[str, Any], ...]:
    """The evaluations in ``contrast_quality.jsonl``."""
    try:
        return tuple(read_evaluations_of_contrast(folder / CONTRAST))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        notes.add(str(error))
        return ()


def masks_report(folder: Path, notes: Notes) -> dict[str, Any] | None:
    """``masks.json`` of a folder or of its ``masks/``; None if there is none."""
    for path in (folder / 'masks' / 'masks.json', folder / 'masks.json'):
        report = read_json(path, notes)
        if report is not None:
            return report
    return None


def mask_threshold(folder: Path, notes: Notes) -> Threshold | None:
    """The threshold that the folder's masks were made with."""
    report = masks_report(folder, notes) or {}
    value = _number(report.get('threshold'))
    if value is None:
        return None
    return Threshold(value, str(report.get('threshold_source') or 'given'))


def _mask_conditions(report: Mapping[str, Any]) -> tuple[str, ...]:
    texts = []
    threshold = _number(report.get('threshold'))
    if threshold is not None:
        source = report.get('threshold_source')
        texts.append(f'threshold {threshold:g}' + (f' ({source})' if source else ''))
    alpha = _number(report.get('alpha'))
    if alpha is not None:
        texts.append(f'background (1 - max)^{alpha:g}')
    crf, method = report.get('crf'), report.get('refine')
    if crf and crf != 'none':
        texts.append(f'CRF {crf}')
    elif crf:
        texts.append('no CRF')
    if method and method not in ('none', 'densecrf'):
        texts.append(f'refined by {method}')
    return tuple(texts)


def _read_csv(
    path: Path, notes: Notes, classes: Any
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]] | None:
    """Thresholds, mIoU and IoU of the classes, of which there are as many as in ``classes``; None where there is no
    such table. Behind the classes are columns of other quantities.
    """
    try:
        with path.open(encoding='utf-8', newline='') as file:
            header, *rows = csv.reader(file)
            table = np.array(
                [[float(cell) if cell else math.nan for cell in row] for row in rows], np.float64
            )
        if header[:2] != ['threshold', 'mIoU'] or table.shape != (len(rows), len(header)):
            raise ValueError('expected the columns threshold, mIoU and one a class')
        if not len(rows):
            raise ValueError('no rows')
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        notes.add(f'{path}: not a table of thresholds ({error})')
        return None
    end = 2 + len(classes) if isinstance(classes, Mapping) else len(header)
    return table[:, 0], table[:, 1], dict(zip(header[2:end], table[:, 2:end].T))


def _two_points(
    report: Mapping[str, Any], best: float, given: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """What the JSON says by itself: the best threshold and the given one."""
    points = {best: report}
    if _number(given.get('threshold')) is not None:
        points[float(given['threshold'])] = given
    order = sorted(points)
    iou = {threshold: _numbers(points[threshold].get('IoU')) for threshold in order}
    classes = {name: None for values in iou.values() for name in values}
    return (
        np.array(order),
        np.array([_nan(_number(points[threshold].get('mIoU'))) for threshold in order]),
        {name: np.array([_nan(iou[t].get(name)) for t in order]) for name in classes},
    )


def _split(path: Path, report: Mapping[str, Any]) -> str:
    """The split a report is about: what it says itself, else the end of its name."""
    split = report.get('split')
    return split if isinstance(split, str) and split else path.stem.split('_metric_', 1)[1]


def _number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _numbers(values: Any) -> dict[str, float | None]:
    if not isinstance(values, Mapping):
        return {}
    return {str(name): _number(value) for name, value in values.items()}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


def _matrix(rows: Any) -> np.ndarray | None:
    """A square matrix of counts, or None."""
    if not isinstance(rows, list) or not rows:
        return None
    try:
        matrix = np.array(rows, np.int64)
    except (ValueError, TypeError, OverflowError):
        return None
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    return matrix if square and (matrix >= 0).all() else None
