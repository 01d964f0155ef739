"""The figure of several trainings' contrast, and the tool that writes it."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmppc.storage.contrast_quality import NAME, append_evaluation
from mmppc.visualization.contrast_plot import PANELS, plot_contrast_quality

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/plot_contrast_quality.py'


def lines(first: float) -> list[dict]:
    return [
        {'iteration': 10 * k, 'label_accuracy': first + 0.1 * k, 'true_foreground': 0.3}
        for k in range(3)
    ]


def test_the_figure_names_runs_and_charts() -> None:
    text = plot_contrast_quality({'one': lines(0.1), 'two': lines(0.5)})
    for word in ('one', 'two', *(title for _, title, _, _ in PANELS)):
        assert f'>{word}<' in text
    assert text == plot_contrast_quality({'one': lines(0.1), 'two': lines(0.5)})
    assert text != plot_contrast_quality({'one': lines(0.1), 'two': lines(0.6)})
    with pytest.raises(ValueError, match=r"got none of \['one'\]"):
        plot_contrast_quality({'one': []})
    with pytest.raises(ValueError, match='got none of any run'):
        plot_contrast_quality({})


def test_the_tool(tmp_path: Path) -> None:
    for name in ('a/run', 'b/run', 'c'):
        for line in lines(0.2):
            append_evaluation(tmp_path / name / NAME, line)

    def call(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, str(TOOL), *words], capture_output=True, text=True, cwd=tmp_path
        )

    done = call('a/run', 'b/run', 'c', '--out', 'figures/quality.svg')
    assert done.returncode == 0, done.stderr
    text = (tmp_path / 'figures/quality.svg').read_text(encoding='utf-8')
    for word in ('a/run', 'b/run', 'c'):
        assert f'>{word}<' in text
    done = call('a', '--out', 'x.svg')
    assert done.returncode == 2
    assert NAME in done.stderr
    assert 'no such file, expected' in done.stderr
    done = call('c', '--out', 'x.png')
    assert done.returncode == 2
    assert 'expected a file named *.svg' in done.stderr
