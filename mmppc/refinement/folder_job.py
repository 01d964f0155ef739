"""Jobs that make one file a picture from its seed, in a folder which says how they were made."""

from __future__ import annotations

import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.dist import all_gather_object, barrier, get_rank, get_world_size
from mmengine.logging import print_log
from rich.progress import track

from mmppc.refinement.records import PictureRecord
from mmppc.storage.atomic import atomic_write
from mmppc.storage.pictures import read_picture
from mmppc.storage.seeds import Seed, load_seed
from mmppc.utils.worker_pool import WorkerPool, default_workers

_CHUNK = 4
_LINES = 25

Task = tuple[PictureRecord, bool]
"""A picture, and whether its file is finished."""


@dataclass(frozen=True)
class FolderJob(ABC):
    """What is made of every picture. Goes to worker processes, so it holds nothing but settings.

    Attributes:
        seed_dir: Folder of the seeds.
        out_dir: Folder of the files, ``<sample_id><suffix>``, and of the report ``<noun>.json``.
        palette: 1 + C colours (R, G, B), background first.
        origin: What all seeds must be made by, see :func:`seed_origin`.
    """

    seed_dir: Path
    out_dir: Path
    palette: tuple[tuple[int, ...], ...]
    origin: Mapping[str, Any]

    noun: ClassVar[str]
    """What the files are called, in the plural."""
    suffix: ClassVar[str]

    @property
    def num_classes(self) -> int:
        """1 + C."""
        return len(self.palette)

    @property
    def report_path(self) -> Path:
        return self.out_dir / f'{self.noun}.json'

    def path(self, record: PictureRecord) -> Path:
        """The picture's file."""
        return self.out_dir / f'{record.sample_id}{self.suffix}'

    def seed_path(self, record: PictureRecord) -> Path:
        return self.seed_dir / f'{record.sample_id}.npz'

    @abstractmethod
    def make(self, record: PictureRecord, seed: Seed) -> None:
        """Write the picture's file, atomically. A ValueError is given the picture's name."""

    def is_measured(self, record: PictureRecord) -> bool:
        """Whether :meth:`measure` has anything to say about this picture."""
        return record.truth_path is not None

    @abstractmethod
    def measure(self, record: PictureRecord) -> np.ndarray:
        """Counts of the picture's finished file, of one shape for all pictures."""

    def __call__(self, task: Task) -> np.ndarray | None:
        """Make the file unless it is finished; its counts, if it has any."""
        record, finished = task
        if not finished:
            path = self.seed_path(record)
            seed = load_seed(path)
            if seed.num_classes != self.num_classes:
                raise ValueError(
                    f'{path}: field num_classes: found {seed.num_classes}, expected '
                    f'{self.num_classes}'
                )
            for key, expected in self.origin.items():
                if seed.meta.get(key) != expected:
                    raise ValueError(
                        f'{path}: field meta.{key}: found {seed.meta.get(key)!r}, expected {expected!r} as in the '
                        'first seed; the seeds are of several networks or tests, run the test you want again'
                    )
            try:
                self.make(record, seed)
            except ValueError as error:
                raise ValueError(f'{record.sample_id}: {error}') from error
        return self.measure(record) if self.is_measured(record) else None


def run_folder_job(
    job: FolderJob,
    records: Sequence[PictureRecord],
    *,
    settings: Mapping[str, Any],
    details: Mapping[str, Any],
    figures: Callable[[np.ndarray | None], Mapping[str, Any]],
    workers: int | None,
    overwrite: bool,
    progress: bool,
    reuse: bool = False,
) -> dict[str, Any]:
    """Make the files of all pictures in worker processes, and report on them.

    A file is finished if it is not older than its seed, so a run continues where one stopped. The
    report records the settings before the first file is made; files of other settings, and files
    without a report, are refused, so nothing ever mixes. In a distributed run each rank makes its
    share, while the first one alone looks after the report; all return it.

    Args:
        job: What to make. A picture whose truth is the very file to be made has no truth.
        records: The pictures, whose seeds exist (see :func:`check_seeds`).
        settings: What the files depend on, as JSON.
        details: What else to record.
        figures: Makes the report's figures from the sum of the counts, None if nothing was counted.
        workers: Processes of this rank; None for one a CPU, 0 to work in this one.
        overwrite: Remove the pictures' files, whatever made them, and make all again.
        progress: Show a progress bar; where the output is no terminal, log lines ``masks 12/300``.
        reuse: Where no file is missing and the former report is complete and has the same details,
            return its figures instead of measuring again.

    Returns:
        The report: settings, details, ``pictures``, ``evaluated`` (those with truth), ``written`` (by
        this run), the figures, and ``complete``, which is False while the job runs and True here.

    Raises:
        FileExistsError: If the folder has files of other settings, or of another origin.
        ValueError: If the former report is not JSON; or what the job raises on a picture.
    """
    records = [_without_own_file(record, job) for record in records]
    evaluated = sum(record.truth_path is not None for record in records)
    report = {**settings, **details, 'pictures': len(records), 'evaluated': evaluated}
    tasks, former = _from_first_rank(lambda: _open(job, records, settings, report, overwrite))
    written = sum(not finished for _, finished in tasks)
    if reuse and not written and all(former.get(key) == report[key] for key in report):
        return _close(job, {**former, 'written': 0})

    print_log(f'{written} of {len(records)} {job.noun} to make in {job.out_dir}', logger='current')
    # The longer ones first, so that every rank gets its share of them.
    tasks = [task for task in tasks if not task[1]] + [
        task for task in tasks if task[1] and job.is_measured(task[0])
    ]
    total = _run(job, tasks[get_rank() :: get_world_size()], workers, progress and get_rank() == 0)
    totals = [part for part in all_gather_object(total) if part is not None]
    counts = np.sum(totals, axis=0) if totals else None
    return _close(job, {**report, 'written': written, **figures(counts), 'complete': True})


def check_seeds(records: Sequence[PictureRecord], seed_dir: Path) -> None:
    """Check that every picture has its seed.

    Raises:
        FileNotFoundError: If the folder or seeds are missing; the first are listed.
        ValueError: If there is no picture.
    """
    how = (
        'test the network with SeedGenerationHook first: tools/test.py CAM_CONFIG CHECKPOINT --tta'
    )
    if not records:
        raise ValueError('no pictures: expected at least one record')
    if not seed_dir.is_dir():
        raise FileNotFoundError(f'{seed_dir}: no such folder of seeds; {how}')
    missing = [
        record.sample_id
        for record in records
        if not (seed_dir / f'{record.sample_id}.npz').is_file()
    ]
    if missing:
        shown = ', '.join(map(repr, missing[:5])) + (', ...' if len(missing) > 5 else '')
        raise FileNotFoundError(
            f'{seed_dir}: no seed for {len(missing)} of {len(records)} pictures: {shown}; {how}'
        )


def seed_origin(record: PictureRecord, seed_dir: Path) -> dict[str, Any]:
    """Digests of the weights and of the settings that made a picture's seed; None where it does not say."""
    meta = load_seed(seed_dir / f'{record.sample_id}.npz').meta
    return {key: meta.get(key) for key in ('weights', 'settings')}


def read_picture_of(record: PictureRecord, seed: Seed) -> np.ndarray:
    """The picture, (H, W, 3) uint8 RGB; ValueError if it cannot be read or has not its seed's size."""
    picture = read_picture(record.img_path)
    if picture.shape[:2] != seed.size:
        raise ValueError(
            f'{record.img_path}: picture of size {picture.shape[:2]}, expected that of its seed, '
            f'{seed.size}'
        )
    return picture


def _open(
    job: FolderJob,
    records: Sequence[PictureRecord],
    settings: Mapping[str, Any],
    report: Mapping[str, Any],
    overwrite: bool,
) -> tuple[list[Task], dict[str, Any]]:
    """Claim the folder; the tasks, and the former report if it was complete."""
    if overwrite:
        # Before the new settings are recorded: a run stopped half-way would take them for its own.
        for record in records:
            job.path(record).unlink(missing_ok=True)
        former = {}
    else:
        former = _check_folder(records, job, settings)
    tasks = [(record, _is_finished(record, job)) for record in records]
    _write_report(job, {**report, 'complete': False})
    return tasks, former if former.get('complete') else {}


def _close(job: FolderJob, report: dict[str, Any]) -> dict[str, Any]:
    """Write the final report; wait until all ranks are here, so that the next stage finds all."""
    if get_rank() == 0:
        _write_report(job, report)
    barrier()
    return report


def _run(
    job: FolderJob, tasks: Sequence[Task], workers: int | None, progress: bool
) -> np.ndarray | None:
    """Do the tasks; the sum of their counts."""
    wanted = default_workers() if workers is None else workers
    useful = -(-len(tasks) // _CHUNK)
    total = None
    with WorkerPool(min(wanted, useful)) as pool:
        results = pool.imap(job, tasks, chunk=_CHUNK)
        for counts in _shown(results, len(tasks), job.noun) if progress else results:
            if counts is not None:
                total = counts if total is None else total + counts
    return total


def _shown(results: Iterable, total: int, noun: str) -> Iterator:
    """The results, with a progress bar or lines of the log every few percent."""
    if sys.stdout.isatty():
        yield from track(results, noun, total=total)
        return
    step = -(-total // _LINES)
    for number, result in enumerate(results, start=1):
        yield result
        if number % step == 0 or number == total:
            print_log(f'{noun} {number}/{total}', logger='current')


def _from_first_rank(function: Callable[[], Any]) -> Any:
    """What ``function`` returns or raises on the first rank, on all ranks."""
    outcome: tuple[Any, Exception | None] = (None, None)
    if get_rank() == 0:
        try:
            outcome = function(), None
        except (ValueError, OSError) as error:
            # The others wait below: they have to be told, or would wait for ever.
            outcome = None, error
    result, error = all_gather_object(outcome)[0]
    if error is not None:
        raise error
    return result


def _check_folder(
    records: Sequence[PictureRecord], job: FolderJob, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Refuse a folder whose files were made otherwise, or by something else; its report."""
    path = job.report_path
    if path.is_file():
        try:
            former = dict(json.loads(path.read_text(encoding='utf-8')))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f'{path}: not JSON ({error}); delete it with its {job.noun}'
            ) from error
        for key, value in settings.items():
            if former.get(key) != value:
                raise FileExistsError(
                    f'{path}: field {key}: the {job.noun} there were made with '
                    f'{former.get(key)!r}, not {value!r}; give another folder, or overwrite or delete them'
                )
        return former
    if any(job.path(record).is_file() for record in records):
        raise FileExistsError(
            f'{job.out_dir}: holds {job.noun} but no {path.name}, so they come from elsewhere; '
            'give another folder, or overwrite or delete them'
        )
    return {}


def _is_finished(record: PictureRecord, job: FolderJob) -> bool:
    path = job.path(record)
    return path.is_file() and path.stat().st_mtime_ns >= job.seed_path(record).stat().st_mtime_ns


def _without_own_file(record: PictureRecord, job: FolderJob) -> PictureRecord:
    own = record.truth_path and os.path.abspath(record.truth_path) == os.path.abspath(
        job.path(record)
    )
    return replace(record, truth_path=None) if own else record


def _write_report(job: FolderJob, report: Mapping[str, Any]) -> None:
    with atomic_write(job.report_path, 'w') as file:
        json.dump(report, file, indent=2, ensure_ascii=False)
