"""A test that leaves out the pictures whose result is already stored."""

from __future__ import annotations

import hashlib
import json
import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, barrier, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.structures import SegDataSample
from torch.utils.data import BatchSampler, DataLoader

from mmppc.utils.model_digest import weights_digest


class FinishedPicturesHook(Hook):
    """Base of hooks that write one file for every picture of the test set, and continue when stopped.

    The test loader is replaced by one over the unfinished pictures, shared out evenly among the ranks, each picture
    exactly once. If the evaluator has metrics, the predictions of finished pictures are put together from their files
    and handed to it, so every figure is that of the whole set. Only other hooks, such as the one that draws
    predictions, do not see finished pictures. A custom ``batch_sampler`` is left alone: then all pictures are run, and
    files are still written.

    Args:
        folder: Name of the folder in the runner's work folder, if ``out_dir`` is None.
        suffix: Of the files.
        out_dir: Folder of the files.
        overwrite: Run and write all pictures, finished or not.
        meta: Conditions to record in each file.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        folder: str,
        suffix: str,
        out_dir: str | None = None,
        overwrite: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.suffix = suffix
        self.given_out_dir = out_dir
        self.out_dir = Path(out_dir or folder)
        self.overwrite = overwrite
        self.meta = dict(meta or {})
        self.origin: dict[str, Any] = {}

    @abstractmethod
    def write(self, sample: SegDataSample) -> None:
        """Write the file of a prediction."""

    @abstractmethod
    def is_finished(self, info: Mapping[str, Any]) -> bool:
        """Whether the picture of this entry of the data set has its file, of this origin."""

    @abstractmethod
    def restore(self, sample: SegDataSample) -> None:
        """Give a data sample the prediction that its file was written from."""

    def before_test_epoch(self, runner: Runner) -> None:
        """Leave only unfinished pictures to the test loop."""
        if self.given_out_dir is None:
            self.out_dir = Path(runner.work_dir) / self.folder
        # Through JSON, so that it equals what is read back (tuples become lists).
        self.origin = json.loads(json.dumps({**self.meta, **_origin(runner)}))
        loader = runner.test_loop.dataloader
        if type(loader.batch_sampler) is not BatchSampler:
            print_log(
                f'{type(self).__name__}: custom batch_sampler, all pictures are run',
                logger='current',
                level=logging.WARNING,
            )
            return
        finished = [] if self.overwrite else self._finished(loader.dataset)
        print_log(
            f'{type(self).__name__}: {len(finished)} of {len(loader.dataset)} pictures are finished in '
            f'{self.out_dir}',
            logger='current',
        )
        done = set(finished)
        remaining = [index for index in range(len(loader.dataset)) if index not in done]
        rank, world = get_rank(), get_world_size()
        runner.test_loop.dataloader = _loader_of(loader, remaining[rank::world])
        if finished and getattr(runner.test_loop.evaluator, 'metrics', True):
            self._evaluate_finished(runner, _loader_of(loader, finished[rank::world]))

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: Sequence[SegDataSample] | None = None,
    ) -> None:
        """Write the files of a batch."""
        for sample in outputs or ():
            self.write(sample)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Wait until all ranks have written, so that the next stage finds every file."""
        barrier()

    def path_of(self, name: str | None, picture: str | None) -> Path:
        """The file of a picture; ValueError if it has no ``sample_id``."""
        if not name:
            raise ValueError(
                f'{type(self).__name__}: picture {picture} has no sample_id; expected a dataset that '
                "gives one, as TaggedImageDataset, and 'sample_id' among the meta_keys of the pipeline"
            )
        return self.out_dir / f'{name}{self.suffix}'

    def same_origin(self, meta: Mapping[str, Any]) -> bool:
        """Whether a file's record names these weights, settings and conditions (not the checkpoint's name)."""
        expected = {key: value for key, value in self.origin.items() if key != 'checkpoint'}
        return all(meta.get(key) == value for key, value in expected.items())

    def _finished(self, dataset: Any) -> list[int]:
        """Indices of finished pictures; each rank looks at its share, all get the same list."""
        rank, world = get_rank(), get_world_size()
        mine = range(rank, len(dataset), world)
        found = [index for index in mine if self.is_finished(dataset.get_data_info(index))]
        return sorted(index for part in all_gather_object(found) for index in part)

    def _evaluate_finished(self, runner: Runner, loader: DataLoader) -> None:
        for batch in loader:
            samples = batch['data_samples']
            if isinstance(samples[0], (list, tuple)):  # test-time augmentation: the first view's
                samples = samples[0]
            for sample in samples:
                self.restore(sample)
            runner.test_loop.evaluator.process(data_samples=samples, data_batch=batch)


def _loader_of(loader: DataLoader, indices: Sequence[int]) -> DataLoader:
    """A loader like ``loader`` over these pictures of its data set, in this order."""
    # The data set stays whole: its length tells the evaluator how many pictures to expect.
    return DataLoader(
        loader.dataset,
        batch_size=loader.batch_size,
        sampler=indices,  # type: ignore[arg-type]
        num_workers=loader.num_workers if indices else 0,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context if indices else None,
        prefetch_factor=loader.prefetch_factor if indices else None,
    )


def _origin(runner: Runner) -> dict[str, str]:
    """What the seeds depend on: the weights, and the configured model and test pipeline."""
    loader = runner.cfg.get('test_dataloader') or {}
    dataset = loader.get('dataset') or {} if isinstance(loader, dict) else {}
    settings = [runner.cfg.get('model'), dataset.get('pipeline')]
    text = json.dumps(settings, sort_keys=True, default=str)
    return {
        'weights': weights_digest(runner.model),
        'settings': hashlib.blake2b(text.encode(), digest_size=8).hexdigest(),
        'checkpoint': Path(str(runner.cfg.get('load_from') or '')).name,
    }
