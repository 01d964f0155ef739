"""Records of finished runs: one line a run, and one line a class, split and threshold; as CSV."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmppc.functional.sweep import THRESHOLDS
from mmppc.pipeline.ablation import Run, read_report, read_result, report_path
from mmppc.pipeline.ablation_data import SPLITS
from mmppc.pipeline.ablation_points import read_point
from mmppc.pipeline.figures import variants
from mmppc.storage.atomic import atomic_write

Record = Mapping[str, Any]

RATES = ('miou', 'fg_recall', 'bg_false_positives')
FIXED = '_fixed'
"""Ends the names of what was measured at the fixed threshold."""

MEASURED = tuple(
    f'{split}_{rate}{kind}' for kind in ('', FIXED) for split in SPLITS for rate in RATES
)
FIELDS = (
    'dataset', 'config', 'seed', 'threshold', 'sweep_end', 'fixed_threshold', *MEASURED,
    'train_pictures', 'val_pictures', 'seconds', 'conditions',
    'config_digest', 'data_digest', 'versions',
)  # fmt: skip
"""Of a run: ``<split>_<rate>`` are in percent at ``threshold``, the best one of train of those up to ``sweep_end``, and
with ``_fixed`` at ``fixed_threshold``; ``seconds`` are of training and tests, None if one was interrupted."""

CLASS_FIELDS = (
    'config', 'seed', 'split', 'kind', 'threshold', 'class', 'iou', 'recall', 'false_positives',
)  # fmt: skip
"""Of a class: ``kind`` is ``best`` (of train) or ``fixed``; recall and false positives as in
:class:`~mmppc.pipeline.ablation_points.ClassPoint`."""

_WHOLE = ('seed', 'train_pictures', 'val_pictures')
_REAL = (
    'threshold',
    'sweep_end',
    'fixed_threshold',
    *MEASURED,
    'seconds',
    'iou',
    'recall',
    'false_positives',
)


def check_fixed_threshold(run: Run, fixed_threshold: float) -> None:
    """Refuse a threshold that the tests will not try, before hours of training.

    Raises:
        ValueError: It is not one of the metric's thresholds.
    """
    thresholds = _thresholds(run)
    if not np.isclose(thresholds, fixed_threshold).any():
        raise ValueError(
            f'fixed threshold {fixed_threshold:g}: expected one of the thresholds of the tests, '
            f'{thresholds[0]:g} to {thresholds[-1]:g} in {len(thresholds)} steps'
        )


def _thresholds(run: Run) -> Sequence[float]:
    """What the tests of a run try."""
    given = run.cfg.test_evaluator[0].get('thresholds')
    return THRESHOLDS.tolist() if given is None else list(given)


def record_run(run: Run, fixed_threshold: float) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a finished run measured, from the reports of its tests.

    Returns:
        Its record with :data:`FIELDS`, and the records of its classes with :data:`CLASS_FIELDS`.

    Raises:
        FileNotFoundError: The run is not finished.
        ValueError: Its tests did not try ``fixed_threshold``.
    """
    result = read_result(run)
    reports = {split: read_report(run, split) for split in SPLITS}
    thresholds = {'best': reports['train']['best_threshold'], 'fixed': fixed_threshold}
    run_is = {'config': run.row.config, 'seed': run.seed}
    values: dict[str, Any] = {
        'dataset': run.dataset,
        **run_is,
        'threshold': thresholds['best'],
        'sweep_end': _thresholds(run)[-1],
        'fixed_threshold': fixed_threshold,
        **{f'{split}_pictures': report['pictures'] for split, report in reports.items()},
        'conditions': variants(reports['train']),
        'config_digest': run.digest,
        **result,
    }
    classes = []
    for split in SPLITS:
        for kind, threshold in thresholds.items():
            point = read_point(report_path(run, split), threshold)
            for rate in RATES:
                values[f'{split}_{rate}{FIXED if kind == "fixed" else ""}'] = getattr(point, rate)
            place = {**run_is, 'split': split, 'kind': kind, 'threshold': threshold}
            classes += [
                {**place, 'class': name, **vars(found)} for name, found in point.classes.items()
            ]
    return {name: values[name] for name in FIELDS}, classes


def read_records(path: Path, fields: Sequence[str] = FIELDS) -> list[dict[str, Any]]:
    """Records from a CSV; none if there is no such file.

    Raises:
        ValueError: The file has other columns, or a value is not a number.
    """
    if not path.is_file():
        return []
    with path.open(encoding='utf-8', newline='') as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != tuple(fields):
            raise ValueError(
                f'{path}: expected the columns {tuple(fields)}, found {reader.fieldnames}; is it of another version? '
                'Move it away to write a new one from the finished runs'
            )
        records: list[dict[str, Any]] = []
        for line in reader:
            record: dict[str, Any] = dict(line)
            for name in set(fields) & {*_WHOLE, *_REAL}:
                try:
                    kind = int if name in _WHOLE else float
                    record[name] = kind(line[name]) if line[name] else None
                except ValueError:
                    found = f'{path}, line {reader.line_num}: {name}={line[name]!r}'
                    raise ValueError(f'{found}, expected a number') from None
            records.append(record)
    return records


def write_records(path: Path, records: Iterable[Record], fields: Sequence[str] = FIELDS) -> None:
    """Write one line a record."""
    with atomic_write(path, 'w') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(fields)
        for record in records:
            writer.writerow(['' if record[name] is None else record[name] for name in fields])


def holds(
    record: Record,
    digests: Mapping[str, str],
    fixed_threshold: float,
    data_digests: Mapping[str, str] | None = None,
) -> bool:
    """Whether a record of an earlier run is of config and data as they are now, and at the same fixed threshold.

    Args:
        record: Of a run.
        digests: Config -> digest of its settings.
        fixed_threshold: The one asked for.
        data_digests: Config -> digest of its data; None where the data are not there to be compared with.
    """
    config = record['config']
    if data_digests is not None and record['data_digest'] != data_digests.get(config):
        return False
    same_config = record['config_digest'] == digests.get(config)
    return same_config and record['fixed_threshold'] == fixed_threshold


def ends_sweep(record: Record) -> bool:
    """Whether the best threshold is the last that was tried, so that a better one may lie beyond."""
    return record['sweep_end'] is not None and record['threshold'] >= record['sweep_end']


def merge_records(
    former: Iterable[Record], new: Iterable[Record], order: Sequence[str]
) -> list[Record]:
    """Former records, replaced by new ones of the same run, by config (as in ``order``) and seed.

    Records of classes are of the same run if config and seed are the same; a run's stay together.
    """
    found = list(new)
    known = {_of(record) for record in found}
    merged = [*(record for record in former if _of(record) not in known), *found]
    return sorted(merged, key=lambda record: (order.index(record['config']), record['seed']))


def _of(record: Record) -> tuple[str, int]:
    return record['config'], record['seed']
