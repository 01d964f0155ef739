"""Ticks are round and enclose the values."""

import numpy as np
import pytest

from mmppc.report.axes import fixed_axis, linear_axis, log_axis, tick_labels


@pytest.mark.parametrize(
    ('values', 'zero', 'ticks'),
    [
        ([0.3, 2.7], True, [0, 1, 2, 3]),
        ([40, 83], False, [40, 60, 80, 100]),
        ([0.021, 0.049], False, [0.02, 0.03, 0.04, 0.05]),
        ([-3.0, 5.0], False, [-5, 0, 5]),
        ([np.nan, 1.0, np.inf, 2.0], False, [1, 1.5, 2]),
    ],
)
def test_linear(values, zero, ticks):
    axis = linear_axis(np.array(values), ticks=3, zero=zero)
    np.testing.assert_allclose(axis.ticks, ticks)
    assert (axis.low, axis.high) == (ticks[0], ticks[-1])


@pytest.mark.parametrize('value', [0.0, 5.0, -2.0, 1e-9])
@pytest.mark.parametrize('zero', [False, True])
def test_a_single_value_has_an_axis(value, zero):
    axis = linear_axis(np.array([value, value]), zero=zero)
    assert axis.low <= value <= axis.high
    assert axis.low < axis.high
    assert np.isfinite(axis.place(np.array([value]))).all()


def test_no_value_has_one_too():
    axis = linear_axis(np.array([np.nan]))
    assert axis.low < axis.high


def test_places():
    axis = linear_axis(np.array([0.0, 10.0]))
    np.testing.assert_allclose(axis.place(np.array([0, 5, 10, np.nan])), [0, 0.5, 1, np.nan])
    log = log_axis(np.array([0.01, 100.0]))
    assert (log.low, log.high) == (0.01, 100)
    np.testing.assert_allclose(
        log.place(np.array([0.01, 1, 100, 0, -1])), [0, 0.5, 1, *[np.nan] * 2]
    )


@pytest.mark.parametrize('values', [[0.3, 0.7], [2.0, 2.0], [0.02, 0.3], [1e-5, 3.0], [1e-9, 1e9]])
def test_logarithmic_ticks_enclose(values):
    axis = log_axis(np.array([*values, 0.0, np.nan]))
    assert axis.low <= min(values)
    assert axis.high >= max(values)
    assert axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 8
    assert all(axis.low * 0.999 <= tick <= axis.high * 1.001 for tick in axis.ticks)


def test_nothing_positive_has_no_logarithm():
    assert log_axis(np.array([0.0, -1.0, np.nan])) is None


def test_fixed_ends_stay():
    axis = fixed_axis(0, 59, ticks=6)
    assert (axis.low, axis.high) == (0, 59)
    assert axis.ticks == (0, 10, 20, 30, 40, 50)
    assert fixed_axis(3, 3).high > 3


def test_labels():
    assert tick_labels((0.0, 0.25, 0.5)) == ['0', '0.25', '0.5']
    assert tick_labels((0.0, 20000.0, 40000.0)) == ['0', '20k', '40k']
    assert tick_labels((0.0, 12500.0)) == ['0', '12,500']
