"""The runs of a table as a figure: a point a seed, mean and interval a row."""

import io
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure

from mmppc.pipeline.ablation_records import Record
from mmppc.pipeline.ablation_rows import Table
from mmppc.pipeline.ablation_statistics import LEVEL, estimate
from mmppc.pipeline.ablation_table import values_of

POINT, MEAN = '#5b8db8', '#1f2933'


def plot_svg(table: Table, dataset: str, records: Sequence[Record]) -> str:
    """The train mIoU of every run, as SVG; the same text for the same records.

    Rows without runs are there with an empty line. A dashed line marks the mean of the row that the others are
    compared with.
    """
    figure = Figure(figsize=(7.0, 1.3 + 0.42 * len(table.rows)), layout='constrained')
    axes = figure.add_subplot()
    titles = []
    for place, row in enumerate(table.rows):
        values = values_of(records, row, 'train_miou')
        titles.append(f'{row.title} ({len(values)})')
        found = estimate(list(values.values()))
        if found is None:
            continue
        if row.key == table.reference:
            axes.axvline(found.mean, color=MEAN, linewidth=0.8, linestyle='--', alpha=0.6, zorder=0)
        # Seeds are a little above their row's mean, so that neither hides the other.
        height = [place - 0.16] * len(values)
        axes.plot([*values.values()], height, 'o', color=POINT, markersize=5, alpha=0.7, zorder=2)
        axes.errorbar(
            found.mean, place + 0.08, xerr=found.half_width, fmt='D', color=MEAN, markersize=4.5,
            capsize=3, linewidth=1.4, zorder=3,
        )  # fmt: skip
    axes.set_yticks(range(len(table.rows)), titles)
    axes.set_ylim(len(table.rows) - 0.5, -0.5)
    axes.set_xlabel('mIoU of the seeds on train, at its best threshold (%)')
    axes.set_ylabel('row (seeds)')
    axes.set_title(
        f'{table.title[0].upper()}{table.title[1:]}: {dataset}\n'
        f'circles: runs; diamonds: mean with {100 * LEVEL:g} % interval',
        fontsize=10,
    )
    axes.grid(axis='x', alpha=0.3)
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    text = io.StringIO()
    with rc_context({'svg.hashsalt': 'mmppc', 'svg.fonttype': 'none'}):
        figure.savefig(text, format='svg', metadata={'Date': None, 'Creator': None})
    return text.getvalue()
