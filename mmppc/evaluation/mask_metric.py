"""mIoU of predicted masks, optionally refined by a dense CRF."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
import torch
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS

from mmppc.functional.dense_crf import (
    CRFPreset,
    crf_from_probabilities,
    crf_preset,
    require_densecrf,
)
from mmppc.storage.pictures import read_picture
from mmppc.utils.worker_pool import WorkerPool, default_workers, result_of


@METRICS.register_module()
class MaskMetric(IoUMetric):
    """mmseg's ``IoUMetric``; with ``crf``, of the masks that a dense CRF makes of the predictions.

    With ``crf``, ``softmax(seg_logits)`` (K, H, W) and the picture at ``img_path`` go through the CRF
    in worker processes while the network is at the next pictures, and the argmax takes the place of
    ``pred_sem_seg``, in the figures and in written masks. The results then also hold ``crf``, the
    preset's name. Without it this is ``IoUMetric`` itself.

    Args:
        crf: Name of a CRF preset for scores, such as ``'deeplab'``; None for no CRF.
        crf_workers: Worker processes; None for one a CPU (shared by the ranks of a
            machine), 0 to work in this process.
        ignore_index: As for ``IoUMetric``, like all further arguments.

    Raises:
        ImportError: If ``crf`` is asked for and pydensecrf is missing.
        ValueError: If the preset is unknown or takes labels; while testing, if a picture cannot be
            read or its size is not that of ``seg_logits``.
    """

    def __init__(
        self,
        crf: str | None = None,
        crf_workers: int | None = None,
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
            super().process(data_batch, data_samples)
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
        """Figures of all pictures, and the name of the CRF preset if there is one."""
        figures = super().compute_metrics(results)
        return figures if self.crf is None else {**figures, 'crf': self.crf}

    def _score_next(self) -> None:
        sample, job = self._pending.popleft()
        try:
            label = torch.from_numpy(result_of(job))
        except BaseException:
            self._pending.clear()
            if self._pool is not None:
                self._pool.terminate()
            raise
        super().process({}, [{**sample, 'pred_sem_seg': {'data': label[None]}}])


def _refine(path: str, probabilities: np.ndarray, preset: CRFPreset) -> np.ndarray:
    """Label map (H, W) int64 of one picture, in a worker."""
    image = read_picture(path)
    try:
        return crf_from_probabilities(image, probabilities, preset).argmax(axis=0)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
