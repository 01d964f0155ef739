"""mIoU of seeds at every background threshold."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable

from mmppc.evaluation.report_files import write_report
from mmppc.functional.sweep import (
    IGNORED,
    THRESHOLDS,
    ForegroundRates,
    SweepHistogram,
    check_thresholds,
    confusion_iou,
    foreground_rates,
    mean_iou,
    sweep_confusion,
    sweep_histogram,
)
from mmppc.storage.atomic import atomic_write


@METRICS.register_module()
class SeedMetric(BaseMetric):
    """mIoU and IoU of the classes for all background thresholds, from one pass over the pictures.

    Reads ``seg_logits`` (1+C, H, W), whose foreground channels are the normalised scores in [0, 1],
    and ``gt_sem_seg``. Scores are rounded to float16 as in seed files, so that files and the maps
    they were written from have the same figures. A picture without ``gt_sem_seg`` is counted as
    skipped; each picture counts once, however the ranks share them.

    Results, in percent: ``seed/mIoU`` at the best threshold of this very split, ``seed/threshold``,
    ``seed/split``, ``seed/mIoU@<threshold>`` at the given one, ``seed/IoU/<class>`` (at the best),
    ``seed/fg_recall`` and ``seed/bg_false_positives`` (at the best; see
    :class:`~mmppc.functional.sweep.ForegroundRates`), ``seed/pictures`` and ``seed/skipped``.

    Args:
        split: Name of the split the pictures come from; every figure is reported with it, since the
            best threshold is chosen on the truth of these pictures.
        threshold: Also report the mIoU at this one of ``thresholds``; None not to.
        thresholds: (T,) increasing in [0, 1); by default 0.00, 0.01, ..., 0.59. A best one that is the last of
            them is warned of.
        ignore_index: Truth of pixels that do not count.
        absent: A class that neither truth nor prediction holds is ``'nan'``: left out of the mean,
            as in mmseg's ``IoUMetric``; or ``'zero'``: counted as 0, as published.
        out_dir: Folder for ``seed_metric_<split>.json`` and ``.csv``; None not to write them. The CSV has a line a
            threshold: mIoU, the IoU of each class, ``fg_recall``, ``bg_false_positives``, and for each
            foreground class ``recall/<class>`` and ``false_positives/<class>``, in percent. The JSON file
            has the same at the best threshold, with the ``confusion`` matrix (pixels, [truth][predicted]), and in
            ``given_threshold`` at the given one.
        conditions: How the scores were made (scales, flip, ...), copied into the JSON file.
        collect_device: See mmengine's ``BaseMetric``.
        prefix: Replaces ``seed`` in the names of the results.

    Raises:
        ValueError: If the split has no name, or ``threshold`` is not one of ``thresholds``.
    """

    default_prefix = 'seed'

    def __init__(
        self,
        split: str,
        threshold: float | None = 0.26,
        thresholds: Sequence[float] | None = None,
        ignore_index: int = IGNORED,
        absent: str = 'nan',
        out_dir: str | None = None,
        conditions: Mapping[str, Any] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not split or not isinstance(split, str):
            raise ValueError(f"SeedMetric: split={split!r}, expected its name, e.g. 'train'")
        confusion_iou(
            np.zeros((1, 1)), absent=absent
        )  # refuses an unknown rule now, not at the end
        self.split = split
        self.thresholds = check_thresholds(
            np.asarray(THRESHOLDS if thresholds is None else thresholds)
        )
        self.threshold = threshold
        if threshold is not None and not np.isclose(self.thresholds, threshold).any():
            raise ValueError(
                f'SeedMetric: threshold={threshold} is not one of the thresholds '
                f'{self.thresholds[0]} .. {self.thresholds[-1]}'
            )
        self.ignore_index = ignore_index
        self.absent = absent
        self.out_dir = Path(out_dir) if out_dir else None
        self.conditions = dict(conditions or {})

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Reduce each picture to its histogram.

        Raises:
            ValueError: If a picture's maps do not fit its truth or the classes.
        """
        for sample in data_samples:
            name = sample.get('sample_id') or sample.get('img_path')
            histogram = self._histogram(sample, name) if 'gt_sem_seg' in sample else None
            self.results.append((name, histogram))

    def _histogram(self, sample: dict, name: str | None) -> SweepHistogram:
        num_classes = len(self.dataset_meta['classes'])
        logits = sample['seg_logits']['data'].detach()
        if len(logits) != num_classes:
            raise ValueError(
                f'{name}: seg_logits has {len(logits)} channels, expected {num_classes}, one for '
                f'each of {self.dataset_meta["classes"]}'
            )
        scores = logits[1:]
        # "not <= 0" keeps NaN, which is then refused.
        present = (~(scores.amax(dim=(1, 2)) <= 0)).nonzero()[:, 0]
        try:
            return sweep_histogram(
                scores[present].half().cpu().numpy(),
                sample['gt_sem_seg']['data'][0].cpu().numpy(),
                num_classes=num_classes,
                classes=present.cpu().numpy() + 1,
                thresholds=self.thresholds,
                ignore_index=self.ignore_index,
            )
        except ValueError as error:
            raise ValueError(f'{name}: {error}') from error

    def compute_metrics(self, results: list) -> dict[str, Any]:
        """Figures of all pictures; see the class. Logs the table, writes the files."""
        pictures = list(
            {name or index: item for index, (name, item) in enumerate(results)}.values()
        )
        scored = [item for item in pictures if item is not None]
        counts = {'pictures': len(scored), 'skipped': len(pictures) - len(scored)}
        if not scored:
            print_log(
                f'SeedMetric: none of {len(pictures)} pictures of {self.split!r} has ground truth',
                logger='current',
                level=logging.WARNING,
            )
            return {'split': self.split, **counts}
        confusion = sweep_confusion(scored)
        iou = confusion_iou(confusion, absent=self.absent)
        rates = foreground_rates(confusion)
        miou = mean_iou(iou)
        best = int(np.nanargmax(miou)) if not np.isnan(miou).all() else 0
        report = {
            'split': self.split,
            'best_threshold': float(self.thresholds[best]),
            'best_threshold_chosen_on': self.split,
            **self._figures(confusion, iou, rates, best),
        }
        if self.threshold is not None:
            given = int(np.abs(self.thresholds - self.threshold).argmin())
            report['given_threshold'] = {
                'threshold': self.threshold,
                **self._figures(confusion, iou, rates, given),
            }
        report.update(counts)
        self._log_table(report)
        if 0 < best == len(self.thresholds) - 1:
            print_log(
                f'SeedMetric: the best threshold of {self.split!r}, {self.thresholds[best]:g}, is the last of the '
                'sweep, and seeds may be better beyond it: give `thresholds` a longer list, such as '
                '[step / 100 for step in range(100)]',
                logger='current',
                level=logging.WARNING,
            )
        if self.out_dir is not None:
            self._write(report, iou, rates)
        return self._flatten(report)

    def _figures(
        self, confusion: np.ndarray, iou: np.ndarray, rates: ForegroundRates, place: int
    ) -> dict[str, Any]:
        """What a report says about the threshold at ``place``."""
        names = self.dataset_meta['classes']
        return {
            'mIoU': _percent(float(mean_iou(iou[place]))),
            'IoU': dict(zip(names, map(_percent, iou[place]))),
            'fg_recall': _percent(rates.recall[place]),
            'bg_false_positives': _percent(rates.false_positives[place]),
            'recall': dict(zip(names[1:], map(_percent, rates.class_recall[place]))),
            'false_positives': dict(
                zip(names[1:], map(_percent, rates.class_false_positives[place]))
            ),
            'confusion': confusion[place].tolist(),
        }

    def _flatten(self, report: dict[str, Any]) -> dict[str, Any]:
        missing = float('nan')
        flat = {key: report[key] for key in ('mIoU', 'fg_recall', 'bg_false_positives')}
        if 'given_threshold' in report:
            flat[f'mIoU@{self.threshold:g}'] = report['given_threshold']['mIoU']
        flat.update({f'IoU/{name}': value for name, value in report['IoU'].items()})
        flat = {key: missing if value is None else value for key, value in flat.items()}
        counts = {key: report[key] for key in ('split', 'pictures', 'skipped')}
        return {**flat, 'threshold': report['best_threshold'], **counts}

    def _log_table(self, report: dict[str, Any]) -> None:
        table = PrettyTable()
        table.add_column('Class', list(report['IoU']))
        points = {f'{report["best_threshold"]:g} (best)': report}
        if 'given_threshold' in report:
            points[f'{self.threshold:g}'] = report['given_threshold']
        for title, point in points.items():
            for name, key in (
                ('IoU', 'IoU'),
                ('recall', 'recall'),
                ('false positives', 'false_positives'),
            ):
                values = [point[key].get(label) for label in report['IoU']]
                table.add_column(
                    f'{name} at {title}', ['-' if value is None else value for value in values]
                )
        skipped = f', {report["skipped"]} without truth skipped' if report['skipped'] else ''
        print_log(
            f'seeds of {self.split!r}, {report["pictures"]} pictures{skipped}: mIoU {report["mIoU"]} '
            f'at {report["best_threshold"]:g}, the best threshold of this split\n{table}',
            logger=MMLogger.get_current_instance(),
        )

    def _write(self, report: dict[str, Any], iou: np.ndarray, rates: ForegroundRates) -> None:
        assert self.out_dir is not None
        names = self.dataset_meta['classes']
        # Readers find the classes' IoU right behind the mIoU; new columns go to the end.
        header = [
            *('threshold', 'mIoU', *names, 'fg_recall', 'bg_false_positives'),
            *(f'recall/{name}' for name in names[1:]),
            *(f'false_positives/{name}' for name in names[1:]),
        ]
        table = np.column_stack(
            [
                *(mean_iou(iou), iou, rates.recall, rates.false_positives),
                *(rates.class_recall, rates.class_false_positives),
            ]
        )
        with atomic_write(self.out_dir / f'seed_metric_{self.split}.csv', 'w') as file:
            writer = csv.writer(file, lineterminator='\n')
            writer.writerow(header)
            for threshold, row in zip(self.thresholds, table):
                writer.writerow([f'{threshold:g}', *map(_percent, row)])
        rule = {'unit': 'percent', 'absent_classes': self.absent, 'conditions': self.conditions}
        write_report(self.out_dir / f'seed_metric_{self.split}.json', {**report, **rule})


def _percent(value: float) -> float | None:
    """Percent with two decimals, as mmseg reports; None (JSON's null) for NaN."""
    return None if np.isnan(value) else round(float(value) * 100, 2)
