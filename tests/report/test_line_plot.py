"""Lines lie where their values are, with gaps where there are none."""

import json
import re
from html import unescape

import numpy as np

from mmppc.report.axes import Axis
from mmppc.report.line_plot import Dot, Line, Mark, line_plot

X = Axis(0, 100, (0, 50, 100))
Y = Axis(0, 4, (0, 2, 4))


def draw(y, x=None, **options):
    y = np.array(y, float)
    x = np.linspace(0, 100, len(y)) if x is None else np.array(x, float)
    lines = [Line('a <b>', x, y, 'c1')]
    return str(line_plot(lines, X, [('linear', Y)], label='what "it" is', **options))


def path_of(html, kind='line c1'):
    return re.search(rf'<path class="{kind}" d="([^"]*)"', html)[1]


def test_path():
    assert path_of(draw([0, 2, 4])) == 'M0 1000L500 500L1000 0'


def test_gaps():
    assert path_of(draw([0, np.nan, 4, 4])) == 'M0 1000h0M666.67 0L1000 0'


def test_texts_are_escaped_and_values_told():
    html = draw([1, np.nan, 3], unit='%', x_name='threshold')
    assert '<b>' not in html
    assert 'aria-label="what &#34;it&#34; is"' in html
    data = json.loads(unescape(re.search(r'data-points="([^"]*)"', html)[1]))
    assert data['lines'] == [{'label': 'a <b>', 'x': [0, 50, 100], 'y': [1, None, 3]}]
    assert data['unit'] == '%'


def test_long_lines_are_thinned_without_losing_a_spike():
    y = np.ones(20_000)
    y[12_345] = 4
    y[777] = 0
    y[:100] = np.nan
    html = draw(y)
    path = path_of(html)
    assert path.count('L') < 420
    assert ' 0L' in path  # the spike at the top
    assert ' 1000L' in path  # and the one at the bottom


def test_marks_and_dots():
    html = draw(
        [0, 4], marks=[Mark(25, 'here', 'chosen'), Mark(500, 'outside')], dots=[Dot(50, 2, 'c2')]
    )
    assert 'class="mark chosen" style="left:25%"><span>here</span>' in html
    assert 'outside' not in html
    assert path_of(html, 'dot c2') == 'M500 500h0'
