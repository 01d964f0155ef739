"""Records of runs as tables: one line a run as CSV, mean and range of the seeds as Markdown and CSV."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmppc.pipeline.ablation_rows import Row
from mmppc.storage.atomic import atomic_write

Record = Mapping[str, Any]

FIELDS = (
    'dataset', 'config', 'seed', 'train_miou', 'threshold', 'val_miou', 'fg_recall',
    'bg_false_positives', 'train_pictures', 'val_pictures', 'seconds', 'conditions',
    'config_digest', 'data_digest', 'versions',
)  # fmt: skip
WHOLE = ('seed', 'train_pictures', 'val_pictures')
REAL = ('train_miou', 'threshold', 'val_miou', 'fg_recall', 'bg_false_positives', 'seconds')
COLUMNS = {
    'train_miou': ('train', '.1f'),
    'threshold': ('threshold', '.2f'),
    'val_miou': ('val', '.1f'),
    'fg_recall': ('fg recall', '.1f'),
    'bg_false_positives': ('bg false positives', '.1f'),
    'seconds': ('seconds', '.0f'),
}
MISSING = '-'


def read_records(path: Path) -> list[dict[str, Any]]:
    """Records from a CSV of runs; none if there is no such file.

    Raises:
        ValueError: The file has other columns, or a value is not a number.
    """
    if not path.is_file():
        return []
    with path.open(encoding='utf-8', newline='') as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != FIELDS:
            raise ValueError(f'{path}: expected the columns {FIELDS}, found {reader.fieldnames}')
        records: list[dict[str, Any]] = []
        for line in reader:
            record: dict[str, Any] = dict(line)
            for name in (*WHOLE, *REAL):
                try:
                    kind = int if name in WHOLE else float
                    record[name] = kind(line[name]) if line[name] else None
                except ValueError:
                    found = f'{path}, line {reader.line_num}: {name}={line[name]!r}'
                    raise ValueError(f'{found}, expected a number') from None
            records.append(record)
    return records


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write one line a run."""
    with atomic_write(path, 'w') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(FIELDS)
        for record in records:
            writer.writerow(['' if record[name] is None else record[name] for name in FIELDS])


def merge_records(
    former: Iterable[Record], new: Iterable[Record], digests: Mapping[str, str]
) -> list[Record]:
    """Former records that still hold, replaced by new ones of the same run, by config and seed.

    Args:
        former: Records of earlier runs.
        new: Records of this one.
        digests: Digest of each config as it is now, by name; former records of another one are left out.
    """
    merged = {
        (record['config'], record['seed']): record
        for record in former
        if digests.get(record['config']) == record['config_digest']
    }
    merged.update({(record['config'], record['seed']): record for record in new})
    order = list(digests)
    return sorted(merged.values(), key=lambda r: (order.index(r['config']), r['seed']))


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
