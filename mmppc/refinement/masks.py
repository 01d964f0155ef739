"""From seeds to pseudo masks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from rich.progress import track

from mmppc.functional.dense_crf import crf_from_labels, crf_preset, require_densecrf
from mmppc.functional.sweep import confusion_iou, label_confusion, mean_iou
from mmppc.storage.atomic import atomic_write
from mmppc.storage.masks import load_mask, save_mask
from mmppc.storage.pictures import read_picture
from mmppc.storage.seeds import Seed, load_seed
from mmppc.utils.worker_pool import WorkerPool, default_workers

REPORT = 'masks.json'
_CHUNK = 4
_LINES = 25


@dataclass(frozen=True)
class PictureRecord:
    """A picture that gets a mask.

    Attributes:
        sample_id: Names its seed and its mask.
        img_path: The picture itself; only read for the CRF.
        truth_path: Its true mask, if there is one, to measure the pseudo masks by.
    """

    sample_id: str
    img_path: str
    truth_path: str | None = None


@dataclass(frozen=True)
class _Job:
    """What all pictures of a run have in common."""

    seed_dir: Path
    out_dir: Path
    threshold: float
    crf: str | None
    palette: tuple[tuple[int, ...], ...]


def picture_records(dataset: Any) -> list[PictureRecord]:
    """Records of all pictures of a data set that gives ``sample_id``, as ``TaggedImageDataset``.

    Raises:
        ValueError: If a picture has no ``sample_id``.
    """
    records = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if not info.get('sample_id'):
            raise ValueError(
                f'{info.get("img_path")}: no sample_id, expected a dataset that gives one, as '
                'TaggedImageDataset'
            )
        truth = info.get('seg_map_path')
        truth = truth if truth and Path(truth).is_file() else None
        records.append(PictureRecord(info['sample_id'], info['img_path'], truth))
    return records


def make_pseudo_masks(
    records: Sequence[PictureRecord],
    *,
    seed_dir: str | os.PathLike,
    out_dir: str | os.PathLike,
    threshold: float,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    crf: str | None = 'seed',
    threshold_source: str = 'given',
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Write the pseudo mask ``<out_dir>/<sample_id>.png`` of every picture, in worker processes.

    A pixel is ``argmax([threshold, scores])``, which the CRF then refines; a picture whose seed has no
    class is background. Masks are written whole or not at all, and a run continues where one stopped:
    a mask is finished if it is not older than its seed. ``<out_dir>/masks.json`` records how the masks
    were made, so that masks of different settings never mix, and their IoU where the truth is known.

    Args:
        records: The pictures.
        seed_dir: Folder of the seeds.
        out_dir: Folder of the masks.
        threshold: Background score in [0, 1).
        classes: 1 + C names, background first.
        palette: 1 + C colours (R, G, B).
        crf: CRF preset for labels; None for no CRF.
        threshold_source: Where the threshold came from, for the record.
        workers: Processes; None for one a CPU, 0 to work in this one.
        overwrite: Make all masks again.
        progress: Show a progress bar; where the output is no terminal, log lines ``masks 12/300``.

    Returns:
        What ``masks.json`` holds: ``threshold``, ``threshold_source``, ``crf``, ``classes``,
        ``pictures``, ``written`` (by this run), ``evaluated`` (pictures with truth), ``mIoU`` and
        ``IoU`` of the classes in percent (None without truth; classes that occur nowhere are left
        out of the mean), ``complete``.

    Raises:
        FileNotFoundError: If pictures have no seed; the first are listed.
        FileExistsError: If ``out_dir`` has masks of other settings, or of another origin.
        ValueError: If an argument, a seed, a picture or a true mask is not as expected.
        ImportError: If ``crf`` is asked for and pydensecrf is missing.
    """
    job = _checked_job(Path(seed_dir), Path(out_dir), threshold, crf, classes, palette)
    settings = {'threshold': threshold, 'crf': crf or 'none', 'classes': list(classes)}
    report = {**settings, 'threshold_source': threshold_source, 'pictures': len(records)}
    _check_seeds(records, job)
    if not overwrite:
        _check_folder(records, job, settings)
    _write_report(job, {**report, 'complete': False})
    todo = [(record, not overwrite and _is_finished(record, job)) for record in records]
    written = sum(not finished for _, finished in todo)
    print_log(f'{written} of {len(records)} masks to make in {job.out_dir}', logger='current')

    confusion = np.zeros((len(classes), len(classes)), np.int64)
    evaluated = sum(record.truth_path is not None for record in records)
    tasks = [task for task in todo if not task[1] or task[0].truth_path]
    with WorkerPool(_useful_workers(workers, tasks)) as pool:
        results = pool.imap(partial(_make_mask, job), tasks, chunk=_CHUNK)
        for counts in _shown(results, len(tasks)) if progress else results:
            confusion += 0 if counts is None else counts
    report |= {'written': written, **_figures(confusion, classes, evaluated), 'complete': True}
    _write_report(job, report)
    return report


def seed_labels(seed: Seed, threshold: float) -> np.ndarray:
    """Label map of a seed, (H, W) uint8: ``argmax([threshold, scores])``, ties to the background.

    Compared in float32, as in :mod:`mmppc.functional.sweep`.
    """
    if not len(seed.classes):
        return np.zeros(seed.size, np.uint8)
    foreground = seed.scores.max(axis=0) > np.float32(threshold)
    best = seed.classes[seed.scores.argmax(axis=0)]
    return np.where(foreground, best, 0).astype(np.uint8)


def _make_mask(job: _Job, task: tuple[PictureRecord, bool]) -> np.ndarray | None:
    """Make one mask unless it is finished; its confusion with the truth, if known."""
    record, finished = task
    path = _mask_path(record, job)
    num_classes = len(job.palette)
    if finished:
        mask = load_mask(path, num_classes)
    else:
        seed = load_seed(_seed_path(record, job))
        if seed.num_classes != num_classes:
            raise ValueError(
                f'{_seed_path(record, job)}: field num_classes: found {seed.num_classes}, '
                f'expected {num_classes}'
            )
        mask = seed_labels(seed, job.threshold)
        if job.crf is not None and len(seed.classes):
            try:
                mask = crf_from_labels(read_picture(record.img_path), mask, num_classes, job.crf)
            except ValueError as error:
                raise ValueError(f'{record.sample_id}: {error}') from error
        save_mask(path, mask, job.palette)
    if record.truth_path is None:
        return None
    truth = load_mask(record.truth_path, num_classes)
    try:
        return label_confusion(truth, mask, num_classes)
    except ValueError as error:
        raise ValueError(f'{record.truth_path}: {error}') from error


def _shown(results: Iterable, total: int) -> Iterator:
    """The results, with a progress bar or lines of the log every few percent."""
    if sys.stdout.isatty():
        yield from track(results, 'masks', total=total)
        return
    step = -(-total // _LINES)
    for number, result in enumerate(results, start=1):
        yield result
        if number % step == 0 or number == total:
            print_log(f'masks {number}/{total}', logger='current')


def _checked_job(
    seed_dir: Path,
    out_dir: Path,
    threshold: float,
    crf: str | None,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> _Job:
    if not 0 <= threshold < 1:
        raise ValueError(f'threshold={threshold}: expected a background score in [0, 1)')
    if len(classes) != len(palette):
        raise ValueError(f'{len(classes)} classes, {len(palette)} colours in the palette')
    if crf is not None:
        preset = crf_preset(crf)
        if preset.unary != 'labels':
            raise ValueError(f"crf={crf!r} takes scores, expected one for labels, e.g. 'seed'")
        require_densecrf()  # that it is missing should show now, not in a worker
    if not seed_dir.is_dir():
        raise FileNotFoundError(f'{seed_dir}: no such folder of seeds')
    return _Job(seed_dir, out_dir, threshold, crf, tuple(tuple(colour) for colour in palette))


def _check_seeds(records: Sequence[PictureRecord], job: _Job) -> None:
    if not records:
        raise ValueError('no pictures: expected at least one record')
    missing = [record for record in records if not _seed_path(record, job).is_file()]
    if missing:
        shown = ', '.join(repr(record.sample_id) for record in missing[:5])
        raise FileNotFoundError(
            f'{job.seed_dir}: no seed for {len(missing)} of {len(records)} pictures: {shown}'
            f'{", ..." if len(missing) > 5 else ""}; test the network with SeedGenerationHook first'
        )


def _check_folder(records: Sequence[PictureRecord], job: _Job, settings: Mapping) -> None:
    """Refuse a folder whose masks were made otherwise, or by something else."""
    path = job.out_dir / REPORT
    if path.is_file():
        try:
            former = json.loads(path.read_text(encoding='utf-8'))
        except ValueError as error:
            raise ValueError(f'{path}: not JSON ({error}); delete it with its masks') from error
        for key, value in settings.items():
            if former.get(key) != value:
                raise FileExistsError(
                    f'{path}: field {key}: the masks there were made with {former.get(key)!r}, not '
                    f'{value!r}; give another folder, or overwrite them'
                )
    elif any(_mask_path(record, job).is_file() for record in records):
        raise FileExistsError(
            f'{job.out_dir}: holds masks but no {REPORT}, so they come from elsewhere; give another '
            'folder, or overwrite them'
        )


def _is_finished(record: PictureRecord, job: _Job) -> bool:
    path = _mask_path(record, job)
    return path.is_file() and path.stat().st_mtime_ns >= _seed_path(record, job).stat().st_mtime_ns


def _figures(confusion: np.ndarray, classes: Sequence[str], evaluated: int) -> dict[str, Any]:
    if not evaluated:
        return {'evaluated': 0, 'mIoU': None, 'IoU': None}
    iou = confusion_iou(confusion)
    percent = [None if np.isnan(value) else round(float(value) * 100, 2) for value in iou]
    mean = round(float(mean_iou(iou)) * 100, 2)
    return {'evaluated': evaluated, 'mIoU': mean, 'IoU': dict(zip(classes, percent))}


def _write_report(job: _Job, report: Mapping[str, Any]) -> None:
    with atomic_write(job.out_dir / REPORT, 'w') as file:
        json.dump(report, file, indent=2, ensure_ascii=False)


def _useful_workers(workers: int | None, tasks: Sequence) -> int:
    wanted = default_workers() if workers is None else workers
    return min(wanted, -(-len(tasks) // _CHUNK))


def _seed_path(record: PictureRecord, job: _Job) -> Path:
    return job.seed_dir / f'{record.sample_id}.npz'


def _mask_path(record: PictureRecord, job: _Job) -> Path:
    return job.out_dir / f'{record.sample_id}.png'
