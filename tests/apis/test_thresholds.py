"""Where a threshold comes from."""

import json
from pathlib import Path

import pytest

from mmppc.apis.thresholds import Threshold, resolve_threshold

DEFAULT = Threshold(0.2, "the config's threshold")


def test_origins(tmp_path: Path) -> None:
    assert resolve_threshold(None, DEFAULT) is DEFAULT
    assert resolve_threshold(0.4, DEFAULT) == Threshold(0.4, 'given')
    chosen = Threshold(0.5, 'elsewhere')
    assert resolve_threshold(chosen, DEFAULT) is chosen
    file = tmp_path / 'seed_metric_train.json'
    report = dict(best_threshold=0.31, split='train', conditions=dict(tta=True))
    file.write_text(json.dumps(report), encoding='utf-8')
    expected = Threshold(0.31, f'best of {file}, chosen on train', True)
    assert resolve_threshold(str(file), DEFAULT) == expected


def test_wrong_ones_are_refused(tmp_path: Path) -> None:
    for wrong in (1.0, -0.1, float('nan')):
        with pytest.raises(ValueError, match='expected a background score in'):
            resolve_threshold(wrong, DEFAULT)
    with pytest.raises(FileNotFoundError, match='expected the seed_metric'):
        resolve_threshold(tmp_path / 'no.json', DEFAULT)
    file = tmp_path / 'a.json'
    for text in ('{', '[]', '{"split": "train"}', '{"best_threshold": "x", "split": "train"}'):
        file.write_text(text, encoding='utf-8')
        with pytest.raises(ValueError, match=r'not a seed_metric_<split>\.json'):
            resolve_threshold(file, DEFAULT)
