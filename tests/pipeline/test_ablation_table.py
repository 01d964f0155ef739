"""Tables from records."""

import csv
import io
from dataclasses import replace

import pytest
from scipy.stats import ttest_rel

from mmppc.pipeline.ablation_records import CLASS_FIELDS, FIELDS
from mmppc.pipeline.ablation_rows import TABLES
from mmppc.pipeline.ablation_table import (
    SUMMARY_FIELDS,
    caption,
    class_tables,
    compared_rows,
    miou_table,
    rate_table,
    summary_csv,
)

TABLE = TABLES['6']


def record(config: str, seed: int, **values) -> dict:
    rates = dict(miou=50.0, fg_recall=80.0, bg_false_positives=20.0)
    result = dict(
        dataset='toy', config=config, seed=seed, threshold=0.3, sweep_end=0.59, fixed_threshold=0.26,
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


T2, T3 = 12.7062047364, 4.3026527297
"""97.5 % quantile of Student's t with 1 and with 2 degrees of freedom, from a printed table."""


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip('|').split(' | ')]


def test_miou_table_has_mean_interval_and_paired_differences() -> None:
    records = [
        *RECORDS,
        record('table6_k4', 0, train_miou=50.0),
        record('table6_k4', 1, train_miou=54.0),
        record('table6_k4', 7, train_miou=0.0),  # no other row has this seed
    ]
    header, _, k0, k4, k8, k16, *_ = map(cells, miou_table(TABLE, records).splitlines())
    assert header == [
        'row', 'seeds', 'threshold', 'train', 'train vs K = 0 (SEAM)', 'val', 'val vs K = 0 (SEAM)',
    ]  # fmt: skip
    # 48, 51 and 49.2: variance 2.28.
    half = T3 * (2.28 / 3) ** 0.5
    assert k0[:5] == ['K = 0 (SEAM)', '3', '0.32 ± 0.09', f'49.4 ± {half:.1f}', '-']
    # 50 - 48 and 54 - 51: mean 2.5, half of their distance is 0.5.
    assert k4[4] == f'+2.5 ± {T2 * 0.5:.1f} (2)'
    assert k8[:5] == ['K = 8', '1', '0.30', '50.0', '+2.0']
    assert k16 == ['K = 16', '0', '-', '-', '-', '-', '-']


def test_tables_of_steps_compare_with_the_row_before_too() -> None:
    steps = TABLES['5']
    records = [
        record(row.config, seed, val_miou=10 * place + seed)
        for place, row in enumerate(steps.rows)
        for seed in (0, 1)
    ]
    header, _, cam, seam, first, second, *_ = map(cells, miou_table(steps, records).splitlines())
    assert header[-3:] == ['val', 'val vs SEAM', 'val vs row before']
    assert cam[-2:] == ['-10.0 ± 0.0', '-']
    assert seam[-2:] == ['-', '+10.0 ± 0.0']
    assert first[-2:] == ['+10.0 ± 0.0', '+10.0 ± 0.0']  # the row before is SEAM
    assert second[-2:] == ['+20.0 ± 0.0', '+10.0 ± 0.0']
    other = replace(steps, reference='cam')
    assert 'val vs CAM' in miou_table(other, records)
    assert compared_rows(other, other.rows[2]) == {
        'reference': other.rows[0],
        'before': other.rows[1],
    }


def test_rate_table_has_both_thresholds() -> None:
    header, _, k0, k4, k8, *_ = map(cells, rate_table(TABLE, RECORDS).splitlines())
    row = dict(zip(header, k8))
    assert row == {
        'row': 'K = 8', 'train fg recall': '-', 'train bg false positives': '20.0', 'val fg recall': '75.0',
        'val bg false positives': '15.0', 'train mIoU, fixed': '49.0', 'train fg recall, fixed': '79.0',
        'train bg false positives, fixed': '19.0', 'val mIoU, fixed': '44.0', 'val fg recall, fixed': '74.0',
        'val bg false positives, fixed': '14.0', 'seconds': '-',
    }  # fmt: skip
    assert k0[1] == '80.0 ± 0.0'
    assert k0[-1] == '61 ± 0'
    assert set(k4[1:]) == {'-'}


def test_class_tables() -> None:
    lines = [
        dict(
            zip(CLASS_FIELDS, ('table5_seam', seed, split, kind, 0.3, name, iou, recall, positives))
        )
        for seed in (0, 1)
        for split in ('train', 'val')
        for kind in ('best', 'fixed')
        for name, iou, recall, positives in (
            ('background', 70.0, None, None),
            ('cat', 30.0 + seed + (split == 'val') + 5 * (kind == 'fixed'), 80.0, 4.0),
        )
    ]
    text = class_tables(TABLE, lines)
    parts = text.split('Classes on ')[1:]
    assert [part.split(':')[0] for part in parts] == [
        "train, at train's best threshold", 'train, at the fixed threshold',
        "val, at train's best threshold", 'val, at the fixed threshold',
    ]  # fmt: skip
    header, _, iou, recall, positives, *rest = map(
        cells, parts[3].partition('\n\n')[2].strip().splitlines()
    )
    assert header == ['row', 'in percent', 'background', 'cat']
    assert iou == ['K = 0 (SEAM)', 'IoU', '70.0 ± 0.0', f'36.5 ± {T2 * 0.5:.1f}']
    assert recall[1:] == ['recall', '-', '80.0 ± 0.0']
    assert positives[1:] == ['false positives', '-', '4.0 ± 0.0']
    assert len(rest) == 3 * (len(TABLE.rows) - 1)


def test_summary_has_the_same_figures() -> None:
    records = [
        record('table5_seam', seed, train_miou=value) for seed, value in enumerate((48, 51, 49.2))
    ]
    better = (50.5, 52.0, 53.9)
    records += [
        record('table6_k8', seed, train_miou=value, seconds=None)
        for seed, value in enumerate(better)
    ]
    lines = list(csv.DictReader(io.StringIO(summary_csv(TABLE, records))))
    assert tuple(lines[0]) == SUMMARY_FIELDS
    found = {(line['row'], line['quantity'], line['compared_with']): line for line in lines}
    assert len(found) == len(lines)
    line = found['k8', 'train_miou', 'k0']
    interval = ttest_rel(better, (48, 51, 49.2)).confidence_interval(0.95)
    assert float(line['mean']) == pytest.approx((interval.high + interval.low) / 2, abs=6e-4)
    assert float(line['half_width']) == pytest.approx((interval.high - interval.low) / 2, abs=6e-4)
    assert line['seeds'] == '3'
    assert found['k0', 'train_miou', '']['mean'] == '49.400'
    assert found['k0', 'val_miou_fixed', '']['mean'] == '44.000'
    assert ('k8', 'seconds', '') not in found
    assert ('k0', 'train_miou', 'k0') not in found
    assert not any(row == 'k4' for row, _, _ in found)
    (alone,) = [
        line
        for line in csv.DictReader(io.StringIO(summary_csv(TABLE, records[:1])))
        if line['quantity'] == 'train_miou'
    ]
    assert (alone['mean'], alone['half_width'], alone['seeds']) == ('48.000', '', '1')


def test_rows_of_one_config_show_the_same_runs() -> None:
    records = [record('table5_pixel_sampling', 0)]
    for table, title in (('5', '+ pixel sampling'), ('6', 'K = 32'), ('7', 'rescale')):
        assert f'| {title} | 1 | 0.30 | 50.0 |' in miou_table(TABLES[table], records)


def test_caption_tells_the_conditions() -> None:
    text = caption(TABLE, 'toy', RECORDS)
    assert text.startswith('Table 6, the number K of pixels in a prototype: seeds on toy, ')
    assert '300 pictures of train, 100 of val' in text
    assert 'scales 1 1.5, flip' in text
    assert 'fixed, at 0.26' in text
    more = [*RECORDS, record('table6_k4', 0, train_pictures=600)]
    assert '300 or 600' in caption(TABLE, 'toy', more)
    assert caption(TABLE, 'voc', []).endswith('on voc: nothing measured.')


def test_a_threshold_at_the_end_of_the_sweep_is_marked() -> None:
    records = [
        *RECORDS[:2],
        record('table6_k8', 0, threshold=0.59),
        record('table6_k16', 0, threshold=0.59, sweep_end=0.99),
        record('table6_k64', 0, threshold=0.3, sweep_end=None),
    ]
    _, _, *lines = map(cells, miou_table(TABLE, records).splitlines())
    found = {line[0]: line[2] for line in lines}
    assert found['K = 8'] == '0.59 (end of the sweep)'
    assert found['K = 16'] == '0.59'
    assert found['K = 64'] == found['K = 0 (SEAM)'].split()[0] == '0.30'
