"""The metrics of a config's test: where they write, and under which conditions."""

import inspect
from typing import Any

from mmengine.config import Config
from mmseg.registry import METRICS


def use_reports(cfg: Config, conditions: dict[str, Any]) -> None:
    """Have the metrics that can do so write their reports, with the conditions, to the work folder.

    A metric without a ``split`` takes that of the first one that names it.
    """
    evaluators = _evaluators(cfg)
    split = next((item['split'] for item in evaluators if item.get('split')), None)
    for item in evaluators:
        if split is not None and metric_takes(item, 'split'):
            item.setdefault('split', split)
        if metric_takes(item, 'out_dir') and item.get('out_dir') is None:
            item['out_dir'] = cfg.work_dir
        if metric_takes(item, 'conditions'):
            item['conditions'] = {**conditions, **(item.get('conditions') or {})}


def use_out_dir(cfg: Config, folder: str) -> None:
    """Have the metrics that can do so write the predictions to ``folder``, or else a further one."""
    evaluators = _evaluators(cfg)
    able = [item for item in evaluators if metric_takes(item, 'output_dir')]
    for item in able:
        item['output_dir'] = folder
    if not able:
        writer = dict(type='MaskMetric', output_dir=folder, format_only=True)
        cfg.test_evaluator = [*evaluators, writer]


def metric_takes(cfg: dict, argument: str) -> bool:
    """Whether the constructor of a metric, given by its config, names ``argument``."""
    kind = cfg.get('type')
    metric = METRICS.get(kind) if isinstance(kind, str) else kind
    return metric is not None and argument in inspect.signature(metric.__init__).parameters


def _evaluators(cfg: Config) -> list[dict]:
    """The metrics of the test, however the config gives them."""
    evaluators = cfg.get('test_evaluator') or []
    return list(evaluators) if isinstance(evaluators, (list, tuple)) else [evaluators]
