"""Several trainings' pseudo labels and prototypes as one figure."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

PANELS: tuple[tuple[str, str, str | None, float], ...] = (
    ('label_accuracy', 'pseudo labels right (%)', None, 100),
    ('labelled_foreground', 'cells labelled foreground (%), dotted: truth', 'true_foreground', 100),
    ('prototype_purity', "prototypes' pixels right (%)", None, 100),
    ('nearest_true', 'pixels nearest to their true class (%)', None, 100),
    ('cosine_margin', 'cosine to true class minus best other', None, 1),
    ('prototype_similarity_mean', 'mean cosine between prototypes', None, 1),
)
"""Charts: figure, title, another figure drawn dotted, factor."""

COLOURS = ('#0a66b8', '#e8590c', '#123524', '#d1588f', '#3d1d5c', '#7a7a7a')
STYLES = ('-', '--', '-.', (0, (5, 1, 1, 1, 1, 1)))


def plot_contrast_quality(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The evaluations of some trainings as SVG: a chart a figure, a line a training.

    The same text for the same evaluations. The dotted lines are the true share of the foreground.

    Args:
        runs: Name -> evaluations by iteration, as of ``read_evaluations``.

    Raises:
        ValueError: There is no run, or one without evaluations.
    """
    empty = [name for name, lines in runs.items() if not lines]
    if not runs or empty:
        raise ValueError(f'expected runs with evaluations, got none of {empty or "any run"}')
    figure = Figure(figsize=(10.5, 6.0), layout='constrained')
    grid = figure.subplots(2, 3)
    for axes, (name, title, beside, factor) in zip(grid.flat, PANELS):
        for number, (run, lines) in enumerate(runs.items()):
            # A colour comes back with another style.
            colour = COLOURS[number % len(COLOURS)]
            style = STYLES[number // len(COLOURS) % len(STYLES)]
            steps = [line['iteration'] for line in lines]
            axes.plot(
                steps, _values(lines, name, factor), color=colour, linestyle=style, marker='o',
                markersize=2.5, linewidth=1.4, label=run,
            )  # fmt: skip
            if beside is not None:
                axes.plot(
                    steps, _values(lines, beside, factor), color=colour, linestyle=':', linewidth=1
                )
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
        for side in ('top', 'right'):
            axes.spines[side].set_visible(False)
    for axes in grid[1]:
        axes.set_xlabel('iteration')
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside upper center', ncols=min(len(labels), 4))
    text = io.StringIO()
    with rc_context({'svg.hashsalt': 'mmppc', 'svg.fonttype': 'none'}):
        figure.savefig(text, format='svg', metadata={'Date': None, 'Creator': None})
    return text.getvalue()


def _values(lines: Sequence[Mapping[str, Any]], name: str, factor: float) -> list[float]:
    values = [line.get(name) for line in lines]
    return [math.nan if value is None else factor * float(value) for value in values]
