"""Tables from records."""

import csv
import io

from mmppc.pipeline.ablation_records import FIELDS
from mmppc.pipeline.ablation_rows import TABLES
from mmppc.pipeline.ablation_table import caption, csv_table, markdown_table

ROWS = TABLES[6]


def record(config: str, seed: int, **values) -> dict:
    rates = dict(miou=50.0, fg_recall=80.0, bg_false_positives=20.0)
    result = dict(
        dataset='toy', config=config, seed=seed, threshold=0.3, fixed_threshold=0.26,
        **{f'train_{name}': value for name, value in rates.items()},
        **{f'val_{name}': value - 5 for name, value in rates.items()},
        **{f'train_{name}_fixed': value - 1 for name, value in rates.items()},
        **{f'val_{name}_fixed': value - 6 for name, value in rates.items()},
        train_pictures=300, val_pictures=100,
        seconds=61.0, conditions='scales 1 1.5, flip', config_digest=f'of {config}',
        data_digest='abc', versions='mmppc 0.1.0, torch 2.0',
    )  # fmt: skip
    assert set(result) == set(FIELDS)
    assert set(values) <= set(result)
    return {name: {**result, **values}[name] for name in FIELDS}


RECORDS = [
    record('table5_seam', 0, train_miou=48.0, val_miou=44.26),
    record('table5_seam', 1, train_miou=51.0, val_miou=43.14, seconds=None),
    record('table5_seam', 2, train_miou=49.2, val_miou=44.0, threshold=0.36),
    record('table6_k8', 0, seconds=None, train_fg_recall=None),
]


def test_markdown_has_mean_and_range_of_what_was_measured() -> None:
    lines = markdown_table(ROWS, RECORDS).splitlines()
    assert lines[0] == (
        '| row | seeds | train | threshold | val | fg recall | bg false positives | seconds |'
    )
    assert lines[2] == (
        '| K = 0 (SEAM) | 3 | 49.4 (48.0 to 51.0) | 0.32 (0.30 to 0.36) | 43.8 (43.1 to 44.3) '
        '| 80.0 (80.0 to 80.0) | 20.0 (20.0 to 20.0) | 61 (61 to 61) |'
    )
    assert lines[3] == '| K = 4 | 0 | - | - | - | - | - | - |'
    assert lines[4] == '| K = 8 | 1 | 50.0 | 0.30 | 45.0 | - | 20.0 | - |'
    assert len(lines) == 2 + len(ROWS)
    assert len({line.count('|') for line in lines}) == 1


def test_csv_has_the_same_figures() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table(ROWS, RECORDS))))
    assert [row['row'] for row in rows] == [row.title for row in ROWS]
    seam, k4, k8 = rows[:3]
    assert seam['seeds'] == '3'
    assert (seam['train_miou_mean'], seam['train_miou_min'], seam['train_miou_max']) == (
        '49.40', '48.00', '51.00'
    )  # fmt: skip
    assert k4['seeds'] == '0'
    assert set(list(k4.values())[3:]) == {''}
    assert k8['train_fg_recall_mean'] == k8['seconds_max'] == ''
    assert k8['threshold_mean'] == '0.30'


def test_rows_of_one_config_show_the_same_runs() -> None:
    records = [record('table5_pixel_sampling', 0)]
    for table, title in ((5, '+ pixel sampling'), (6, 'K = 32'), (7, 'rescale')):
        assert f'| {title} | 1 | 50.0 |' in markdown_table(TABLES[table], records)


def test_caption_tells_the_conditions() -> None:
    text = caption('toy', RECORDS)
    assert 'train (300 pictures)' in text
    assert 'val (100)' in text
    assert 'scales 1 1.5, flip' in text
    assert '300 or 600' in caption('toy', [*RECORDS, record('table6_k4', 0, train_pictures=600)])
    assert caption('voc', []) == 'voc: nothing measured.'
