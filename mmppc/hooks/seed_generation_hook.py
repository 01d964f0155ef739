"""Seeds written while a network is tested."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, barrier, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.structures import LabelData, PixelData
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample
from torch.utils.data import BatchSampler, DataLoader

from mmppc.storage.seeds import Seed, load_seed, save_seed


@HOOKS.register_module()
class SeedGenerationHook(Hook):
    """Writes ``<out_dir>/<sample_id>.npz`` for every picture of the test set; continues when stopped.

    A seed holds the scores of the picture's tagged classes (``gt_tags.label``, else every channel
    with a positive score) at the original size, as float16, and in its ``meta`` where it came from.

    **Finished pictures are not run again.** A picture is finished if its seed can be read, and was
    written for the same tags by the same weights, model and test pipeline (their digests are in
    ``meta``) under the same ``meta``. The test loader is replaced by one over the unfinished
    pictures, shared out evenly among the ranks, each picture exactly once. If the evaluator has
    metrics, the predictions of finished pictures are put together from their files and handed to it,
    so every figure is that of the whole set: ``seg_logits`` (rounded to float16, as ``SeedMetric``
    does anyway), their argmax as ``pred_sem_seg``, and ``pred_tags.score``. Only other hooks, such as
    the one that draws predictions, do not see finished pictures.

    A custom ``batch_sampler`` is left alone: then all pictures are run, and files are still written.

    Args:
        out_dir: Folder of the seeds; None for ``seeds`` in the runner's work folder.
        overwrite: Run and write all pictures, finished or not.
        meta: Conditions to record in each seed, e.g. ``dict(scales=[0.5, 1, 1.5, 2], flip=True)``.

    Raises:
        ValueError: While testing, if a dataset gives no ``sample_id`` or predictions are not in [0, 1] or not
            of the picture's original size.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        out_dir: str | None = None,
        overwrite: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.given_out_dir = out_dir
        self.out_dir = Path(out_dir or 'seeds')
        self.overwrite = overwrite
        self.meta = dict(meta or {})
        self.origin: dict[str, Any] = {}

    def before_test_epoch(self, runner: Runner) -> None:
        """Leave only unfinished pictures to the test loop."""
        if self.given_out_dir is None:
            self.out_dir = Path(runner.work_dir) / 'seeds'
        # Through JSON, so that it equals what is read back (tuples become lists).
        self.origin = json.loads(json.dumps({**self.meta, **_origin(runner)}))
        loader = runner.test_loop.dataloader
        if type(loader.batch_sampler) is not BatchSampler:
            print_log(
                'SeedGenerationHook: custom batch_sampler, all pictures are run',
                logger='current',
                level=logging.WARNING,
            )
            return
        finished = [] if self.overwrite else self._finished(loader.dataset)
        print_log(
            f'SeedGenerationHook: {len(finished)} of {len(loader.dataset)} pictures have their seed '
            f'in {self.out_dir}',
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
        """Write the seeds of a batch."""
        for sample in outputs or ():
            self._write(sample)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Wait until all ranks have written, so that the next stage finds every file."""
        barrier()

    def _write(self, sample: SegDataSample) -> None:
        name = sample.metainfo.get('sample_id')
        path = self._path(name, sample.metainfo.get('img_path'))
        logits = sample.seg_logits.data
        size, found = tuple(sample.metainfo['ori_shape'][:2]), tuple(logits.shape[1:])
        if size != found:
            raise ValueError(
                f'{name}: seg_logits of size {found}, expected the original size {size}'
            )
        if 'gt_tags' in sample:
            present = sample.gt_tags.label.to(logits.device) > 0.5
        else:
            present = logits[1:].amax(dim=(1, 2)) > 0
        channels = present.nonzero()[:, 0] + 1
        meta = {
            **self.origin,
            'sample_id': name,
            'size': list(size),
            'background': float(logits[0, 0, 0]),
        }
        if 'pred_tags' in sample:
            meta['tag_scores'] = sample.pred_tags.score.float().cpu().tolist()
        save_seed(
            path,
            logits[channels].float().cpu().numpy(),
            channels.cpu().numpy(),
            num_classes=len(logits),
            meta=meta,
        )

    def _path(self, name: str | None, picture: str | None) -> Path:
        if not name:
            raise ValueError(
                f'SeedGenerationHook: picture {picture} has no sample_id; expected a dataset that '
                "gives one, as TaggedImageDataset, and 'sample_id' among the meta_keys of the pipeline"
            )
        return self.out_dir / f'{name}.npz'

    def _finished(self, dataset: Any) -> list[int]:
        """Indices of finished pictures; each rank looks at its share, all get the same list."""
        rank, world = get_rank(), get_world_size()
        mine = range(rank, len(dataset), world)
        found = [index for index in mine if self._is_finished(dataset.get_data_info(index))]
        return sorted(index for part in all_gather_object(found) for index in part)

    def _is_finished(self, info: Mapping[str, Any]) -> bool:
        path = self._path(info.get('sample_id'), info.get('img_path'))
        try:
            seed = load_seed(path)
        except FileNotFoundError:
            return False
        except ValueError as error:
            print_log(f'{error}; it is made again', logger='current', level=logging.WARNING)
            return False
        tags = info.get('tags')
        if tags is not None and not np.array_equal(np.flatnonzero(tags) + 1, seed.classes):
            return False
        expected = {key: value for key, value in self.origin.items() if key != 'checkpoint'}
        return all(seed.meta.get(key) == value for key, value in expected.items())

    def _evaluate_finished(self, runner: Runner, loader: DataLoader) -> None:
        for batch in loader:
            samples = batch['data_samples']
            if isinstance(samples[0], (list, tuple)):  # test-time augmentation: the first view's
                samples = samples[0]
            for sample in samples:
                _restore_prediction(sample, load_seed(self._path(sample.sample_id, None)))
            runner.test_loop.evaluator.process(data_samples=samples, data_batch=batch)


def _restore_prediction(sample: SegDataSample, seed: Seed) -> None:
    """Give a data sample the prediction that its seed was written from."""
    logits = torch.from_numpy(seed.dense())
    logits[0] = seed.meta['background']
    sample.set_data(
        {
            'seg_logits': PixelData(data=logits),
            'pred_sem_seg': PixelData(data=logits.argmax(dim=0, keepdim=True)),
        }
    )
    if 'tag_scores' in seed.meta:
        sample.pred_tags = LabelData(score=torch.tensor(seed.meta['tag_scores']))


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
    weights = hashlib.blake2b(digest_size=8)
    for value in runner.model.state_dict().values():
        weights.update(str((tuple(value.shape), value.dtype)).encode())
        weights.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    loader = runner.cfg.get('test_dataloader') or {}
    dataset = loader.get('dataset') or {} if isinstance(loader, dict) else {}
    settings = [runner.cfg.get('model'), dataset.get('pipeline')]
    text = json.dumps(settings, sort_keys=True, default=str)
    return {
        'weights': weights.hexdigest(),
        'settings': hashlib.blake2b(text.encode(), digest_size=8).hexdigest(),
        'checkpoint': Path(str(runner.cfg.get('load_from') or '')).name,
    }
