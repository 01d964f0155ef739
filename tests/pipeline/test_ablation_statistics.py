"""Intervals and paired differences against numbers by hand and against scipy's t-test."""

import math

import numpy as np
import pytest
from scipy.stats import t, ttest_rel

from mmppc.pipeline.ablation_statistics import Estimate, estimate, paired_difference


def test_interval_by_hand() -> None:
    # Mean 5, variance (9 + 1 + 1 + 9) / 3, standard error sqrt(5 / 3); t of 3 degrees of freedom is 3.182.
    found = estimate([2.0, 4.0, 6.0, 8.0])
    assert found.mean == 5
    assert found.count == 4
    assert found.half_width == pytest.approx(3.182446305 * math.sqrt(5 / 3), rel=1e-9)
    assert estimate([2.0, 4.0, 6.0, 8.0], level=0.5).half_width == pytest.approx(
        0.764892328 * math.sqrt(5 / 3), rel=1e-8
    )


def test_one_value_has_no_interval_and_none_no_mean() -> None:
    assert estimate([3.5]) == Estimate(3.5, None, 1)
    assert not estimate([3.5]).excludes_zero
    assert estimate([]) is None
    assert estimate([2.0, 2.0]) == Estimate(2.0, 0.0, 2)


@pytest.mark.parametrize('count', [2, 3, 5, 12])
def test_paired_difference_is_that_of_the_t_test(count: int) -> None:
    draw = np.random.default_rng(count)
    shared = draw.normal(50, 5, count)
    first, second = shared + draw.normal(2, 1, count), shared + draw.normal(0, 1, count)
    order = draw.permutation(count)
    found = paired_difference(
        {int(seed): float(first[seed]) for seed in order}, dict(enumerate(second.tolist()))
    )
    interval = ttest_rel(first, second).confidence_interval(0.95)
    assert found.mean - found.half_width == pytest.approx(interval.low, rel=1e-9)
    assert found.mean + found.half_width == pytest.approx(interval.high, rel=1e-9)
    assert found.excludes_zero == (interval.low > 0 or interval.high < 0)
    assert found.count == count


def test_only_shared_seeds_are_compared() -> None:
    found = paired_difference({0: 5.0, 1: 9.0, 2: 100.0}, {1: 7.5, 0: 4.0, 3: -100.0})
    assert (found.mean, found.count) == (1.25, 2)
    assert found.half_width == pytest.approx(t.ppf(0.975, 1) * 0.25)
    assert paired_difference({0: 1.0}, {1: 1.0}) is None
    assert paired_difference({0: 3.0}, {0: 1.0}) == Estimate(2.0, None, 1)


def test_pairing_takes_out_what_a_seed_does_to_both() -> None:
    reference = dict(enumerate([40.0, 50.0, 60.0]))
    better = {seed: value + 1 + 0.1 * seed for seed, value in reference.items()}
    found = paired_difference(better, reference)
    assert found.mean == pytest.approx(1.1)
    assert found.excludes_zero
    assert found.half_width < 0.3 < 20 < estimate(list(reference.values())).half_width
