"""The page: everything put into one HTML file that needs no other."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from mmppc.report.class_bars import class_rows
from mmppc.report.collect import collect
from mmppc.report.confusion_chart import confusion_matrices
from mmppc.report.contrast_section import contrast_curves
from mmppc.report.figures import Series, all_series, key_figures
from mmppc.report.gallery import Gallery, make_gallery
from mmppc.report.loss_chart import training_curves
from mmppc.report.records import Run
from mmppc.report.stage_rows import stage_row
from mmppc.report.threshold_chart import threshold_chart
from mmppc.storage.atomic import atomic_write
from mmppc.utils.worker_pool import default_workers
from mmppc.version import __version__

NAME = 'report.html'
PICTURES = 96
_NOTES = 40
_PARTS = ('page.html', 'style.css', 'script.js')


def write_report(
    work_dir: Path,
    out: Path | None = None,
    *,
    max_pictures: int = PICTURES,
    title: str | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> Path:
    """Write a page about a work folder: one HTML file that needs no network and no other file.

    Args:
        work_dir: A pipeline's work folder, finished or not, one of its stages, or a work folder of ``tools/train.py``
            and ``tools/test.py``.
        out: Where to write; ``<work_dir>/report.html`` by default.
        max_pictures: Pictures to embed at most, about 45 kB each; 0 for none.
        title: Heading; by default the run's name.
        workers: Processes that measure single pictures; None for one a CPU, 0 to work in this one.
        progress: Show progress.

    Returns:
        Where the page is.

    Raises:
        FileNotFoundError: If there is no such folder, or nothing of a run in it.
        ValueError: If ``max_pictures`` is negative.
    """
    if max_pictures < 0:
        raise ValueError(f'max_pictures={max_pictures}: expected 0 or more')
    run = collect(Path(work_dir))
    gallery = None
    if run.data.classes:
        gallery = make_gallery(
            run,
            max_pictures=max_pictures,
            workers=default_workers() if workers is None else workers,
            progress=progress,
        )
    target = Path(out) if out is not None else Path(work_dir) / NAME
    text = render(run, gallery, title=title, now=datetime.now().astimezone())
    with atomic_write(target, 'w') as file:
        file.write(text)
    return target


def render(run: Run, gallery: Gallery | None, *, title: str | None, now: datetime) -> str:
    """The page as text.

    Args:
        run: What to tell about.
        gallery: Its pictures; None for no gallery.
        title: Heading; by default the run's name.
        now: When the page is made.
    """
    classes = run.data.classes
    colours = [f'rgb({red} {green} {blue})' for red, green, blue in run.data.palette]
    series = all_series(
        run, gallery.all_columns if gallery else None, gallery.confusions if gallery else None
    )
    curves = [curves for stage in run.stages if (curves := training_curves(stage)) is not None]
    parts = {name: _part(name) for name in _PARTS}
    notes = [*run.notes, *(gallery.notes if gallery else ())]
    environment = Environment(
        loader=DictLoader({'page.html': parts['page.html']}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    context: dict[str, Any] = {
        'title': title or run.name,
        'run': run,
        'now': now.strftime('%Y-%m-%d %H:%M %Z').strip(),
        'version': __version__,
        'classes': list(zip(classes, colours)),
        'splits': _splits(run),
        'figures': key_figures(run, series),
        'stages': [stage_row(stage, now) for stage in run.stages],
        'curves': curves,
        'contrasts': [c for stage in run.stages if (c := contrast_curves(stage)) is not None],
        'thresholds': threshold_chart(
            [(item.label, item.style, item.curve) for item in series if item.curve is not None],
            run.threshold,
        ),
        'series': [item for item in series if item.evaluation.iou],
        'class_rows': class_rows(series, classes or _named(series), colours or _grey(series)),
        'matrices': confusion_matrices(series, classes),
        'gallery': gallery if gallery is not None and gallery.cards else None,
        'kinds': ('worst', 'median', 'best'),
        'notes': notes[:_NOTES],
        'more_notes': max(0, len(notes) - _NOTES),
        # Both are files of this package, and the script's digest below allows it alone to run.
        'style': Markup(parts['style.css']),
        'script': Markup(parts['script.js']),
        'script_digest': _digest(parts['script.js']),
    }
    return environment.get_template('page.html').render(context)


def _splits(run: Run) -> list[tuple[str, int, int]]:
    """Name, pictures, pictures with a true mask."""
    return [
        (name, len(records), int(np.sum([record.truth_path is not None for record in records])))
        for name, records in run.data.splits.items()
    ]


def _named(series: Sequence[Series]) -> tuple[str, ...]:
    return next((tuple(item.evaluation.iou) for item in series if item.evaluation.iou), ())


def _grey(series: Sequence[Series]) -> list[str]:
    return ['rgb(128 128 128)'] * len(_named(series))


def _part(name: str) -> str:
    return (resources.files('mmppc.report') / 'template' / name).read_text(encoding='utf-8')


def _digest(script: str) -> str:
    """SHA-256 of the script in base64, as a content security policy names it."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')
