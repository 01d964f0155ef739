"""Confusion matrices: shares of rows, few bytes."""

import json
import re

import numpy as np

from mmppc.report.confusion_chart import LEVELS, confusion_matrices, shade
from mmppc.report.figures import Series
from mmppc.report.records import Evaluation


def matrix_of(counts, classes):
    evaluation = Evaluation('masks', 'val', 50.0, {}, 1, (), np.array(counts, np.int64))
    return confusion_matrices([Series('masks, val', 'c1', evaluation, '')], classes)


def test_by_hand():
    many = 2**33
    (matrix,) = matrix_of(
        [[3 * many, many, 0], [10, 970, 20], [0, 0, 0]], ('background', 'cat', 'dog')
    )
    first, second, third = matrix.summary
    assert (first.right, first.wrong, first.pixels) == ('75.0', 'cat 25.0\u00a0%', f'{4 * many:,}')
    assert (second.right, second.wrong) == ('97.0', 'dog 2.0\u00a0%, background 1.0\u00a0%')
    assert third.wrong == 'not in the truth'
    assert matrix.table == (('75.0', '25.0', '0.0'), ('1.0', '97.0', '2.0'), ('0.0', '0.0', '0.0'))
    content = json.loads(matrix.content)
    assert content['counts'][0] == [3 * many, many, 0]
    texts = re.findall(r'<text [^>]*>(\d+)</text>', matrix.chart)
    assert texts == ['75', '25', '1', '97', '2']
    # 0.75 is shade 18 of 24; its cell is the first.
    assert f'd="M0 0h45v45h-45z" fill-opacity="{18 / LEVELS:g}"' in matrix.chart


def test_shades():
    assert shade(np.array([0, 0.004, 0.006, 0.5, 1])).tolist() == [0, 0, 1, 12, 24]


def test_81_classes_stay_small_and_readable_by_the_summary():
    draw = np.random.default_rng(0)
    counts = np.eye(81, dtype=int) * 1000 + draw.integers(0, 9, (81, 81))
    (matrix,) = matrix_of(counts, [f'class {k}' for k in range(81)])
    assert len(matrix.chart) < 120_000
    assert '<text' not in matrix.chart
    assert matrix.table == ()
    assert len(matrix.summary) == 81


def test_a_matrix_of_other_classes_is_left_out():
    assert matrix_of([[1, 0], [0, 1]], ('background', 'cat', 'dog')) == []
