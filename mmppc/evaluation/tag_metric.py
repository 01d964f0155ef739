"""Mean average precision of the predicted tags."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable

from mmppc.storage.atomic import atomic_write


@METRICS.register_module()
class TagMetric(BaseMetric):
    """Average precision of each class and its mean over the classes (mAP), as in mmpretrain.

    Reads ``pred_tags.score`` (C,) and ``gt_tags.label`` (C,). Classes that no picture shows have no
    average precision and are left out of the mean; pictures without ``gt_tags`` are left out.

    Results, in percent: ``tags/mAP``, ``tags/AP/<class>``.

    Args:
        split: Name of the split the pictures come from, for the report.
        out_dir: Folder for the report ``tag_metric_<split>.json``; None not to write it.
        conditions: How the scores were made (scales, flip, ...), copied into the report.
        collect_device: See mmengine's ``BaseMetric``.
        prefix: Replaces ``tags`` in the names of the results.
    """

    default_prefix = 'tags'

    def __init__(
        self,
        split: str = 'test',
        out_dir: str | None = None,
        conditions: Mapping[str, Any] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.split = split
        self.out_dir = Path(out_dir) if out_dir else None
        self.conditions = dict(conditions or {})

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep each picture's scores and tags.

        Raises:
            ValueError: If the numbers of scores, tags and classes differ.
        """
        num_tags = len(self.dataset_meta['classes']) - 1
        for sample in data_samples:
            name = sample.get('sample_id') or sample.get('img_path')
            if 'gt_tags' not in sample:
                self.results.append((name, None))
                continue
            score = sample['pred_tags']['score'].detach().float().cpu()
            label = sample['gt_tags']['label'].detach().float().cpu()
            if score.shape != (num_tags,) or label.shape != (num_tags,):
                raise ValueError(
                    f'{name}: {tuple(score.shape)} scores and {tuple(label.shape)} tags, expected '
                    f'({num_tags},), one for each class but the background'
                )
            self.results.append((name, (score, label)))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average precisions of all pictures; see the class."""
        unique = {name or index: item for index, (name, item) in enumerate(results)}
        pairs = [item for item in unique.values() if item is not None]
        if not pairs:
            print_log('TagMetric: no picture has tags', logger='current', level=logging.WARNING)
            return {'mAP': float('nan')}
        scores, labels = (torch.stack(column) for column in zip(*pairs))
        present = (labels > 0.5).any(dim=0)
        if not present.any():
            return {'mAP': float('nan')}
        values = _average_precision(scores[:, present], labels[:, present])
        shown = present.nonzero()[:, 0].tolist()
        names = [self.dataset_meta['classes'][1 + channel] for channel in shown]
        precisions = {name: round(value, 2) for name, value in zip(names, values.tolist())}
        table = PrettyTable()
        table.add_column('Class', list(precisions))
        table.add_column('AP', list(precisions.values()))
        mean = round(values.mean().item(), 2)
        print_log(
            f'tags of {self.split!r}, {len(pairs)} pictures: mAP {mean}\n{table}',
            logger=MMLogger.get_current_instance(),
        )
        if self.out_dir is not None:
            self._write(self.out_dir, {'mAP': mean, 'AP': precisions, 'pictures': len(pairs)})
        return {'mAP': mean, **{f'AP/{name}': value for name, value in precisions.items()}}

    def _write(self, folder: Path, figures: dict[str, Any]) -> None:
        rest = {'unit': 'percent', 'conditions': self.conditions}
        with atomic_write(folder / f'tag_metric_{self.split}.json', 'w') as file:
            json.dump({'split': self.split, **figures, **rest}, file, indent=2, ensure_ascii=False)


def _average_precision(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Average precision of each class in percent, (N, C) scores and 0/1 labels -> (C,)."""
    try:
        from mmpretrain.evaluation import AveragePrecision
    except ImportError as error:
        raise ImportError(
            f'TagMetric needs mmpretrain, which is missing or broken ({error}); '
            'install it: pip install "mmppc[onedl]"'
        ) from error
    return AveragePrecision.calculate(scores.double(), (labels > 0.5).long(), average=None)
