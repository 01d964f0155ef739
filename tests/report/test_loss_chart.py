"""Curves of a training: order, smoothing, the table."""

import numpy as np
import pytest

from mmppc.report.loss_chart import smoothed, training_curves
from mmppc.report.records import Scalars, Stage


def stage(series, resumed=()):
    series = {
        name: (np.array(steps), np.array(values, float)) for name, (steps, values) in series.items()
    }
    return Stage('cam', 'CAM', 'train', 'finished', None, scalars=Scalars(series, resumed))


def test_panels_are_in_order_and_parts_of_figures_left_out():
    points = ([10, 20], [1.0, 0.5])
    names = (
        'mIoU',
        'lr',
        'base_lr',
        'time',
        'seed/IoU/cat',
        'seed/mIoU',
        'seed/threshold',
        'decode.loss_ce',
        'loss',
    )
    curves = training_curves(stage(dict.fromkeys(names, points), resumed=(20,)))
    assert [(panel.name, panel.group) for panel in curves.panels] == [
        ('loss', 'loss'), ('decode.loss_ce', 'loss'), ('lr', 'rate'), ('mIoU', 'other'), ('seed/mIoU', 'other'),
    ]  # fmt: skip
    assert curves.steps == 20
    assert curves.panels[0].last == '0.5'
    assert curves.columns == ('iteration', 'loss', 'decode.loss_ce', 'lr', 'mIoU', 'seed/mIoU')
    assert curves.rows[1] == ('20', *['0.5'] * 5)
    assert 'class="mark resumed' in curves.panels[0].chart


def test_smoothing():
    np.testing.assert_allclose(smoothed(np.full(9, 3.0), 4), 3)
    # The second of two values of a window of 3 counts twice as much as the first.
    np.testing.assert_allclose(smoothed(np.array([0.0, 3.0]), 3), [0, 2])
    found = smoothed(np.array([1.0, np.nan, 1.0]), 3)
    assert np.isnan(found[1])
    assert found[2] == 1


def test_both_scales_and_both_lines_are_drawn():
    steps = list(range(10, 210, 10))
    curves = training_curves(
        stage({'loss': (steps, np.linspace(2, 0.01, 20)), 'lr': (steps, [0.1] * 20)})
    )
    loss, rate = (str(panel.chart) for panel in curves.panels)
    assert loss.count('class="scale linear"') == loss.count('class="scale log"') == 1
    assert loss.count('line c1 raw') == loss.count('line c1 smooth') == 2
    assert 'smooth' not in rate
    assert len(curves.rows) == 12
    assert curves.rows[-1][0] == '200'


def test_values_that_are_no_numbers():
    curves = training_curves(stage({'loss': ([10, 20], [np.nan, np.nan])}))
    assert curves.panels[0].last == 'no number'
    assert curves.rows[0] == ('10', 'no number')


@pytest.mark.parametrize('series', [{}, {'time': ([1], [1.0])}, {'loss': ([], [])}])
def test_nothing_to_draw(series):
    assert training_curves(stage(series)) is None
