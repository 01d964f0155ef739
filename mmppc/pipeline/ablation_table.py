"""Records of runs as tables: mean and interval over the seeds, and differences paired by seed."""

import csv
import io
from collections.abc import Iterable, Sequence

from mmppc.pipeline.ablation_data import SPLITS
from mmppc.pipeline.ablation_records import (
    FIXED,
    MEASURED,
    RATES,
    Record,
    ends_sweep,
)
from mmppc.pipeline.ablation_rows import Row, Table
from mmppc.pipeline.ablation_statistics import LEVEL, Estimate, estimate, paired_difference

MISSING = '-'
PRECISION = {'threshold': 2, 'seconds': 0}
"""Decimals of a quantity in print; others have one."""

SUMMARY_FIELDS = (
    'row', 'config', 'quantity', 'compared_with', 'seeds', 'mean', 'half_width'
)  # fmt: skip


def values_of(records: Iterable[Record], row: Row, quantity: str) -> dict[int, float]:
    """Seed -> what a row's runs measured; seeds where it was not measured are left out."""
    return {
        record['seed']: record[quantity]
        for record in records
        if record['config'] == row.config and record[quantity] is not None
    }


def compared_rows(table: Table, row: Row) -> dict[str, Row]:
    """The rows that a row is compared with: ``reference`` and, in a table of steps, ``before``; not with itself."""
    place = table.rows.index(row)
    found = {'reference': next(other for other in table.rows if other.key == table.reference)}
    if table.steps and place:
        found['before'] = table.rows[place - 1]
    return {name: other for name, other in found.items() if other.config != row.config}


def difference(
    records: Sequence[Record], row: Row, other: Row | None, quantity: str
) -> Estimate | None:
    """Difference of a row to another one, paired by seed; None without a common seed or without the other row."""
    if other is None:
        return None
    return paired_difference(values_of(records, row, quantity), values_of(records, other, quantity))


def estimate_text(found: Estimate | None, decimals: int = 1, *, sign: bool = False) -> str:
    """``mean ± half-width``; of a single value, the value.

    >>> estimate_text(Estimate(2.04, 0.31, 3), sign=True)
    '+2.0 ± 0.3'
    """
    if found is None:
        return MISSING
    text = f'{found.mean:{"+" if sign else ""}.{decimals}f}'
    return text if found.half_width is None else f'{text} ± {found.half_width:.{decimals}f}'


def miou_table(table: Table, records: Sequence[Record]) -> str:
    """Markdown: the mIoU of each row at train's best threshold, and its differences.

    A threshold at the end of a run's sweep is marked: the seeds may be better beyond it.
    """
    titles = {row.key: row.title for row in table.rows}
    comparisons = {'reference': titles[table.reference]}
    if table.steps:
        comparisons['before'] = 'row before'
    header = ['row', 'seeds', 'threshold']
    for split in SPLITS:
        header += [split, *(f'{split} vs {name}' for name in comparisons.values())]
    lines = []
    for row in table.rows:
        others = compared_rows(table, row)
        threshold = _cell(records, row, 'threshold')
        if any(ends_sweep(record) for record in records if record['config'] == row.config):
            threshold += ' (end of the sweep)'
        cells = [row.title, str(_seeds(records, row)), threshold]
        for quantity in ('train_miou', 'val_miou'):
            cells.append(_cell(records, row, quantity))
            for name in comparisons:
                found = difference(records, row, others.get(name), quantity)
                text = estimate_text(found, sign=True)
                if found is not None and found.count < _seeds(records, row):
                    text += f' ({found.count})'
                cells.append(text)
        lines.append(cells)
    return _markdown(header, lines)


def rate_table(table: Table, records: Sequence[Record]) -> str:
    """Markdown: under- and over-activation of each row at both thresholds, and the mIoU at the fixed one."""
    names = {'miou': 'mIoU', 'fg_recall': 'fg recall', 'bg_false_positives': 'bg false positives'}
    columns = {
        f'{split}_{rate}{kind}': f'{split} {names[rate]}{", fixed" if kind else ""}'
        for kind in ('', FIXED)
        for split in SPLITS
        for rate in RATES
        if kind or rate != 'miou'
    }
    lines = [
        [row.title, *(_cell(records, row, quantity) for quantity in (*columns, 'seconds'))]
        for row in table.rows
    ]
    return _markdown(['row', *columns.values(), 'seconds'], lines)


def class_tables(table: Table, records: Sequence[Record]) -> str:
    """Markdown: a table a split and threshold, with three lines a row: IoU, recall and false positives of each class.

    Args:
        table: Whose rows.
        records: Of classes, see :data:`~mmppc.pipeline.ablation_records.CLASS_FIELDS`.
    """
    names = list(dict.fromkeys(record['class'] for record in records))
    quantities = {'iou': 'IoU', 'recall': 'recall', 'false_positives': 'false positives'}
    kinds = {'best': "train's best threshold", 'fixed': 'the fixed threshold'}
    parts = []
    for split in SPLITS:
        for kind, threshold in kinds.items():
            here = [line for line in records if (line['split'], line['kind']) == (split, kind)]
            lines = []
            for row in table.rows:
                for quantity, title in quantities.items():
                    cells = [
                        _cell([line for line in here if line['class'] == name], row, quantity)
                        for name in names
                    ]
                    lines.append([row.title, title, *cells])
            header = ['row', 'in percent', *names]
            parts.append(f'Classes on {split}, at {threshold}:\n\n{_markdown(header, lines)}')
    return '\n\n'.join(parts)


def summary_csv(table: Table, records: Sequence[Record]) -> str:
    """CSV: a line a row, quantity and comparison.

    ``compared_with`` is empty for the quantity itself, else the key of the row it is the difference to, paired by seed;
    ``seeds`` says how many it is of; ``half_width`` is empty of a single seed.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(SUMMARY_FIELDS)
    for row in table.rows:
        lines = [
            (quantity, '', estimate(list(values_of(records, row, quantity).values())))
            for quantity in ('threshold', *MEASURED, 'seconds')
        ]
        others = {other.key: other for other in compared_rows(table, row).values()}
        lines += [
            (quantity, key, difference(records, row, other, quantity))
            for key, other in others.items()
            for quantity in MEASURED
        ]
        for quantity, key, found in lines:
            if found is not None:
                half = '' if found.half_width is None else f'{found.half_width:.3f}'
                cells = [quantity, key, found.count, f'{found.mean:.3f}', half]
                writer.writerow([row.key, row.config, *cells])
    return text.getvalue()


def caption(table: Table, dataset: str, records: Sequence[Record]) -> str:
    """What the figures are of: pictures, scales and thresholds, in some sentences."""
    if not records:
        return f'{table.title}, on {dataset}: nothing measured.'
    sizes = {(record['train_pictures'], record['val_pictures']) for record in records}
    train, val = (' or '.join(str(n) for n in sorted(set(part))) for part in zip(*sizes))
    how = ' or '.join(sorted({record['conditions'] for record in records}))
    fixed = ' or '.join(f'{t:g}' for t in sorted({record['fixed_threshold'] for record in records}))
    return (
        f'{table.title[0].upper()}{table.title[1:]}: seeds on {dataset}, in percent, without CRF, '
        f'given tags, {how}; {train} pictures of train, {val} of val. Both splits are scored at the best '
        f'threshold of train, and where it says fixed, at {fixed}. Fg recall: share of the foreground '
        'pixels that are labelled foreground; bg false positives: share of the background pixels '
        f'that are. Mean over the seeds ± half of its {100 * LEVEL:g} % interval (Student); '
        'differences are in points, paired by seed (over fewer seeds where a number is in brackets). '
        'One seed has no interval.'
    )


def _seeds(records: Iterable[Record], row: Row) -> int:
    return sum(record['config'] == row.config for record in records)


def _cell(records: Iterable[Record], row: Row, quantity: str) -> str:
    values = list(values_of(records, row, quantity).values())
    return estimate_text(estimate(values), PRECISION.get(quantity, 1))


def _markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [header, ['---'] * len(header), *lines]
    text = [f'| {" | ".join(cells)} |' for cells in rows]
    text[1] = f'|{"|".join(rows[1])}|'
    return '\n'.join(text)
