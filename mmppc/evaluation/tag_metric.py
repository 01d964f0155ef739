"""Mean average precision of the predicted tags."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable


@METRICS.register_module()
class TagMetric(BaseMetric):
    """Average precision of each class and its mean over the classes (mAP), as in mmpretrain.

    Reads ``pred_tags.score`` (C,) and ``gt_tags.label`` (C,). Classes that no picture shows have no
    average precision and are left out of the mean; pictures without ``gt_tags`` are left out.

    Results, in percent: ``tags/mAP``, ``tags/AP/<class>``.

    Args:
        collect_device: See mmengine's ``BaseMetric``.
        prefix: Replaces ``tags`` in the names of the results.
    """

    default_prefix = 'tags'

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
        table = PrettyTable()
        table.add_column('Class', names)
        table.add_column('AP', [round(value, 2) for value in values.tolist()])
        mean = round(values.mean().item(), 2)
        print_log(
            f'tags of {len(pairs)} pictures: mAP {mean}\n{table}',
            logger=MMLogger.get_current_instance(),
        )
        return {'mAP': mean, **{f'AP/{n}': round(v, 2) for n, v in zip(names, values.tolist())}}


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
