"""mIoU of predicted masks, optionally refined by a dense CRF."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS

from mmppc.datasets.voc import voc_palette
from mmppc.evaluation.report_files import write_report
from mmppc.functional.dense_crf import (
    CRFPreset,
    crf_from_probabilities,
    crf_preset,
    require_densecrf,
)
from mmppc.functional.sweep import label_confusion
from mmppc.storage.masks import save_mask
from mmppc.storage.pictures import read_picture
from mmppc.utils.worker_pool import WorkerPool, default_workers, result_of

SparseCounts = tuple[np.ndarray, np.ndarray]
"""A picture's confusion matrix: flat indices (M,) of what is not 0, and the pixels there (M,), int64."""


@METRICS.register_module()
class MaskMetric(IoUMetric):
    """mmseg's figures; with ``crf``, of the masks that a dense CRF makes of the predictions.

    With ``crf``, ``softmax(seg_logits)`` (K, H, W) and the picture at ``img_path`` go through the CRF
    in worker processes while the network is at the next pictures, and the argmax takes the place of
    ``pred_sem_seg``, in the figures and in written masks. The results then also hold ``crf``, the
    preset's name. Without it the results are those of ``IoUMetric``. Each picture counts once, however
    the ranks share them; one without ``gt_sem_seg`` is not scored, and if none has it there are no
    results.

    Args:
        split: Name of the split the pictures come from, for the report.
        crf: Name of a CRF preset for scores, such as ``'deeplab'``; None for no CRF.
        crf_workers: Worker processes; None for one a CPU (shared by the ranks of a
            machine), 0 to work in this process.
        out_dir: Folder for the report ``mask_metric_<split>.json``: the results, the IoU of the
            classes, the ``confusion`` matrix (pixels, [truth][predicted]), the CRF, the number of
            pictures; None not to write it.
        conditions: How the predictions were made (scales, flip, ...), copied into the report.
        output_dir: Folder for the predictions as palette PNGs ``<sample_id>.png`` (without a
            ``sample_id``, the picture's name); None not to write them.
        format_only: Only write predictions.
        ignore_index: As for ``IoUMetric``, like all further arguments.

    Raises:
        ImportError: If ``crf`` is asked for and pydensecrf is missing.
        ValueError: If the preset is unknown or takes labels; while testing, if a picture cannot be
            read or its size is not that of ``seg_logits``, or a label is no class.
    """

    def __init__(
        self,
        split: str = 'test',
        crf: str | None = None,
        crf_workers: int | None = None,
        out_dir: str | None = None,
        conditions: Mapping[str, Any] | None = None,
        ignore_index: int = 255,
        iou_metrics: Sequence[str] = ('mIoU',),
        nan_to_num: int | None = None,
        beta: int = 1,
        collect_device: str = 'cpu',
        output_dir: str | None = None,
        format_only: bool = False,
        prefix: str | None = None,
    ) -> None:
        super().__init__(
            ignore_index=ignore_index,
            iou_metrics=list(iou_metrics),
            nan_to_num=nan_to_num,
            beta=beta,
            collect_device=collect_device,
            output_dir=output_dir,
            format_only=format_only,
            prefix=prefix,
        )
        self.split = split
        self.out_dir = Path(out_dir) if out_dir else None
        self.conditions = dict(conditions or {})
        self.crf = crf
        self.preset = None if crf is None else crf_preset(crf)
        if self.preset is not None and self.preset.unary != 'scores':
            raise ValueError(f"MaskMetric: crf={crf!r} takes labels, expected e.g. 'deeplab'")
        if self.preset is not None:
            require_densecrf()
        self.crf_workers = default_workers() if crf_workers is None else crf_workers
        self._pool: WorkerPool | None = None
        self._pending: deque[tuple[dict, Future[np.ndarray]]] = deque()

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score a batch, or hand it to the CRF and score what has come back, in order."""
        if self.preset is None:
            for sample in data_samples:
                self._score(sample, sample['pred_sem_seg']['data'][0])
            return
        if self._pool is None:
            self._pool = WorkerPool(self.crf_workers)
        for sample in data_samples:
            logits = sample['seg_logits']['data'].detach().float()
            if len(logits) < 2:
                raise ValueError(
                    f'{sample["img_path"]}: seg_logits has {len(logits)} channel, expected one a class'
                )
            probabilities = logits.softmax(dim=0).cpu().numpy()
            kept = {key: value for key, value in sample.items() if key != 'seg_logits'}
            job = self._pool.submit(_refine, sample['img_path'], probabilities, self.preset)
            self._pending.append((kept, job))
            while len(self._pending) > 2 * self.crf_workers:
                self._score_next()

    def evaluate(self, size: int) -> dict[str, Any]:
        """Score all that is still with the CRF, then as ``IoUMetric``."""
        while self._pending:
            self._score_next()
        if self._pool is not None:
            self._pool.__exit__(None, None, None)
            self._pool = None
        return super().evaluate(size)

    def compute_metrics(self, results: list) -> dict[str, Any]:
        """Figures of all pictures, and the name of the CRF preset if there is one; writes the report."""
        unique = {name or index: pairs for index, (name, pairs) in enumerate(results)}
        scored = [pairs for pairs in unique.values() if pairs is not None]
        if not scored:
            if not self.format_only:
                print_log(
                    f'MaskMetric: none of {len(unique)} pictures of {self.split!r} has ground truth',
                    logger='current',
                    level=logging.WARNING,
                )
            return {}
        confusion = self._total(scored)
        figures = super().compute_metrics([_areas(confusion)])
        print_log(
            f'masks of {self.split!r}, {len(scored)} pictures: mIoU {figures.get("mIoU")}, '
            f'CRF {self.crf or "none"}',
            logger='current',
        )
        if self.out_dir is not None:
            counts = {'pictures': len(scored), 'skipped': len(unique) - len(scored)}
            self._write(self.out_dir, figures, confusion, counts)
        return figures if self.crf is None else {**figures, 'crf': self.crf}

    def _total(self, scored: Sequence[SparseCounts]) -> np.ndarray:
        """Confusion matrix of all pictures, (1 + C, 1 + C) int64, [truth, predicted]."""
        classes = len(self.dataset_meta['classes'])
        confusion = np.zeros((classes, classes), np.int64)
        for bins, counts in scored:
            confusion.reshape(-1)[bins] += counts
        return confusion

    def _write(
        self, folder: Path, figures: dict, confusion: np.ndarray, counts: Mapping[str, int]
    ) -> None:
        iou = self.total_area_to_metrics(*_areas(confusion), ['mIoU'], self.nan_to_num)['IoU']
        percent = [None if np.isnan(value) else round(float(value) * 100, 2) for value in iou]
        report = {
            'split': self.split,
            **{name: round(float(value), 2) for name, value in figures.items()},
            'IoU': dict(zip(self.dataset_meta['classes'], percent)),
            'confusion': confusion.tolist(),
            'crf': self.crf or 'none',
            **counts,
            'unit': 'percent',
            'conditions': self.conditions,
        }
        write_report(folder / f'mask_metric_{self.split}.json', report)

    def _score(self, sample: dict, label: torch.Tensor) -> None:
        """Score the label map (H, W) of a picture if its truth is known, and write it if asked to."""
        classes = self.dataset_meta['classes']
        name = sample.get('sample_id') or sample.get('img_path')
        pairs = None
        if 'gt_sem_seg' in sample and not self.format_only:
            truth = sample['gt_sem_seg']['data'][0].cpu().numpy()
            try:
                confusion = label_confusion(
                    truth, label.cpu().numpy(), len(classes), ignore_index=self.ignore_index
                )
            except ValueError as error:
                raise ValueError(f'{name}: {error}') from error
            bins = np.flatnonzero(confusion)
            pairs = bins, confusion.reshape(-1)[bins]
        self.results.append((name, pairs))
        if self.output_dir is not None:
            stem = sample.get('sample_id') or Path(sample['img_path']).stem
            palette = self.dataset_meta.get('palette') or voc_palette(len(classes))
            save_mask(Path(self.output_dir) / f'{stem}.png', label.cpu().numpy(), palette)

    def _score_next(self) -> None:
        sample, job = self._pending.popleft()
        try:
            label = torch.from_numpy(result_of(job))
        except BaseException:
            self._pending.clear()
            if self._pool is not None:
                self._pool.terminate()
            raise
        self._score(sample, label)


def _areas(confusion: np.ndarray) -> tuple[torch.Tensor, ...]:
    """Intersection, union, predicted and true pixels of the classes, as mmseg's figures take them.

    In double precision: mmseg's own float32 sums stop growing at 2**24, and a class of COCO has a thousand times that.
    """
    counts = torch.from_numpy(confusion).double()
    hit, truth, predicted = counts.diagonal(), counts.sum(dim=1), counts.sum(dim=0)
    return hit, truth + predicted - hit, predicted, truth


def _refine(path: str, probabilities: np.ndarray, preset: CRFPreset) -> np.ndarray:
    """Label map (H, W) int64 of one picture, in a worker."""
    image = read_picture(path)
    try:
        return crf_from_probabilities(image, probabilities, preset).argmax(axis=0)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
