"""The threshold curves: what is marked, and what the table says."""

import numpy as np

from mmppc.report.records import SeedCurve, Threshold
from mmppc.report.threshold_chart import threshold_chart


def curve(miou, split='train'):
    thresholds = np.arange(len(miou)) / 100
    miou = np.array(miou, float)
    best = float(thresholds[np.nanargmax(miou)])
    return SeedCurve(split, thresholds, miou, {}, best, 5, (), {})


def test_two_curves_and_the_chosen_threshold():
    train, val = curve([10, 20, 30, 25]), curve([10, 22, 21, 20], 'val')
    chart = threshold_chart(
        [('seeds, train', 'c1', train), ('seeds, val', 'c2', val)], Threshold(0.02, 'best of train')
    )
    assert [(key.label, key.best) for key in chart.keys] == [
        ('seeds, train', 'best 30.00 % at 0.02'), ('seeds, val', 'best 22.00 % at 0.01'),
    ]  # fmt: skip
    assert chart.columns == ('threshold', 'seeds, train, mIoU (%)', 'seeds, val, mIoU (%)', '')
    assert chart.rows == (
        ('0', '10.00', '10.00', ''),
        ('0.01', '20.00', '22.00', 'best of seeds, val'),
        ('0.02', '30.00', '21.00', 'best of seeds, train, chosen'),
        ('0.03', '25.00', '20.00', ''),
    )
    assert 'chosen: 0.02</span>' in chart.chart
    assert 'chosen: 0.02, best of train' in chart.chart  # for those who do not see it
    assert chart.chart.count('class="dot') == 2


def test_a_best_at_the_end_of_the_range_is_told():
    for miou in ([1, 2, 3], [3, 2, 1]):
        chart = threshold_chart([('seeds', 'c1', curve(miou))], None)
        assert chart.keys[0].best.endswith('the end of the range: the best may lie beyond')
    assert 'mark chosen' not in chart.chart


def test_long_tables_are_thinned_but_hold_what_matters():
    chart = threshold_chart(
        [('seeds', 'c1', curve(np.sin(np.arange(60) / 12)))], Threshold(0.33, 'given')
    )
    shown = [row[0] for row in chart.rows]
    assert 13 <= len(shown) <= 15
    assert {'0', '0.59', '0.33', '0.19'} <= set(shown)
    assert shown == sorted(shown, key=float)


def test_gaps_and_nothing():
    chart = threshold_chart([('seeds', 'c1', curve([np.nan, 2, 1]))], None)
    assert chart.rows[0] == ('0', '', '')
    assert threshold_chart([], None) is None
