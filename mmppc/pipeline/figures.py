"""The figures that a stage left in its reports, each with its conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmppc.pipeline.plan import Threshold


def stage_figures(folder: Path, chosen: Threshold | None = None) -> list[dict[str, Any]]:
    """What a stage's reports say in short.

    Args:
        folder: The stage's work folder.
        chosen: The threshold that the stage was given; None if it was given none. With one, seeds are told at that
            threshold, else at the best one of their own split.

    Returns:
        Dicts with ``name``, ``value`` in percent, ``split`` and ``conditions`` in words; those without truth are
        left out.
    """
    figures = []
    for report in _reports(folder, 'tag_metric_*.json'):
        figures.append(_figure('tag mAP', report.get('mAP'), report, variants(report)))
    for report in _reports(folder, 'seed_metric_*.json'):
        given = report.get('given_threshold')
        if chosen is not None and given:
            threshold = f'threshold {given["threshold"]:g}, {chosen.source}'
            value = given['mIoU']
        elif report.get('best_threshold') is not None:
            source = report['best_threshold_chosen_on']
            threshold = f'threshold {report["best_threshold"]:g}, best on {source} itself'
            value = report.get('mIoU')
        else:
            continue
        figures.append(_figure('seed mIoU', value, report, f'{variants(report)}; {threshold}'))
    for report in _reports(folder, 'masks/masks.json'):
        if report.get('mIoU') is not None and 'threshold' in report:
            if report['threshold'] is None:
                background = f'background (1 - max)^{report["alpha"]:g}'
            else:
                background = f'threshold {report["threshold"]:g}'
                background += f', {chosen.source}' if chosen else ''
            text = f'{background}; CRF {report["crf"]}'
            split = {'split': report.get('split', 'train')}
            figures.append(_figure('mask mIoU', report['mIoU'], split, text))
    walked = (folder / 'masks').is_dir()
    for report in _reports(folder, 'mask_metric_*.json'):
        name = 'mask mIoU' if walked else 'final mIoU'
        text = f'{variants(report)}; CRF {report.get("crf")}'
        if walked and chosen:
            text += f'; around the threshold {chosen.value:g}, {chosen.source}'
        figures.append(_figure(name, report.get('mIoU'), report, text))
    return [figure for figure in figures if figure['value'] is not None]


def variants(report: Mapping[str, Any]) -> str:
    """Scales and flip of a report's figures, in words."""
    conditions = report.get('conditions') or {}
    parts = [
        f'{title} {" ".join(f"{value:g}" for value in conditions[key])}'
        for key, title in (('scales', 'scales'), ('long_sides', 'long sides'))
        if key in conditions
    ]
    parts.append('flip' if conditions.get('flip') else 'no flip')
    return ', '.join(parts)


def _reports(folder: Path, pattern: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding='utf-8')) for path in sorted(folder.glob(pattern))]


def _figure(name: str, value: Any, report: Mapping[str, Any], conditions: str) -> dict[str, Any]:
    return {'name': name, 'value': value, 'split': report.get('split'), 'conditions': conditions}
