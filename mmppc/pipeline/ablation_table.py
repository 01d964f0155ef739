"""Records of runs as tables: mean and range of the seeds as Markdown and CSV."""

import csv
import io
from collections.abc import Iterable, Sequence

from mmppc.pipeline.ablation_records import Record
from mmppc.pipeline.ablation_rows import Row

COLUMNS = {
    'train_miou': ('train', '.1f'),
    'threshold': ('threshold', '.2f'),
    'val_miou': ('val', '.1f'),
    'train_fg_recall': ('fg recall', '.1f'),
    'train_bg_false_positives': ('bg false positives', '.1f'),
    'seconds': ('seconds', '.0f'),
}
MISSING = '-'


def _values(records: Iterable[Record], row: Row, column: str) -> list[float]:
    found = (record[column] for record in records if record['config'] == row.config)
    return [value for value in found if value is not None]


def _seeds(records: Iterable[Record], row: Row) -> int:
    return sum(record['config'] == row.config for record in records)


def markdown_table(rows: Sequence[Row], records: Sequence[Record]) -> str:
    """Mean of each measured quantity and, in brackets, its lowest and highest value over the seeds."""
    lines = [
        f'| row | seeds | {" | ".join(title for title, _ in COLUMNS.values())} |',
        f'|---|{"---|" * (1 + len(COLUMNS))}',
    ]
    for row in rows:
        cells = [row.title, str(_seeds(records, row))]
        for column, (_, form) in COLUMNS.items():
            values = _values(records, row, column)
            cell = f'{sum(values) / len(values):{form}}' if values else MISSING
            if len(values) > 1:
                cell += f' ({min(values):{form}} to {max(values):{form}})'
            cells.append(cell)
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def csv_table(rows: Sequence[Row], records: Sequence[Record]) -> str:
    """The same as CSV, with mean, lowest and highest value in columns of their own; empty where not measured."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    parts = ('mean', 'min', 'max')
    writer.writerow(['row', 'config', 'seeds', *(f'{c}_{p}' for c in COLUMNS for p in parts)])
    for row in rows:
        cells: list[str] = []
        for column in COLUMNS:
            values = _values(records, row, column)
            found = (sum(values) / len(values), min(values), max(values)) if values else ()
            cells += [f'{value:.2f}' for value in found] or [''] * len(parts)
        writer.writerow([row.title, row.config, _seeds(records, row), *cells])
    return text.getvalue()


def caption(dataset: str, records: Sequence[Record]) -> str:
    """What the figures are of: pictures, scales and threshold, in a sentence."""
    if not records:
        return f'{dataset}: nothing measured.'
    sizes = {(record['train_pictures'], record['val_pictures']) for record in records}
    train, val = (' or '.join(str(n) for n in sorted(set(part))) for part in zip(*sizes))
    how = ' or '.join(sorted({record['conditions'] for record in records}))
    return (
        f'Seeds on {dataset}, mIoU in percent without CRF: train ({train} pictures) at its best threshold, val ({val}) '
        f'at the threshold of train; given tags; {how}. fg recall and bg false positives are of train, at its best '
        'threshold. Mean over the seeds (lowest to highest).'
    )
