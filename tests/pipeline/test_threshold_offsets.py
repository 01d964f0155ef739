"""Settings of a stage which lie around the threshold that an earlier stage chose."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmppc.datasets.toy import draw_toy_set
from mmppc.pipeline.definition import fill
from mmppc.pipeline.run import figures_table
from tests.pipeline.fake_stages import FakeStages
from tests.pipeline.test_pipeline import options_of, run


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_toy_set(tmp_path_factory.mktemp('data') / 'toy', num_train=6, num_val=2, size=48)


def test_labels_and_walk_of_psa_follow_the_threshold_of_the_seeds(tmp_path: Path, data: Path):
    stages = FakeStages(best=0.5)
    manifests = run(options_of(tmp_path, data, 'ppc_seam_psa_laptop_long'), stages)
    assert stages.done[-4:] == ['affinity', 'masks', 'segmentation', 'final']
    affinity = Config.fromfile(str(tmp_path / 'affinity/config.py'))
    labels = affinity.default_hooks.labels
    assert (labels.low.constant, labels.high.constant) == (0.59, 0.39)
    masks = Config.fromfile(str(tmp_path / 'masks/config.py'))
    assert masks.model.test_cfg.background.constant == 0.44
    assert masks.default_hooks.labels.low.constant == 0.59
    chosen = {'value': 0.5, 'source': 'best of train_seeds on train'}
    assert manifests['affinity']['threshold'] == manifests['masks']['threshold'] == chosen
    text = figures_table(manifests).get_string()
    assert 'around the threshold 0.5, best of train_seeds on train' in text

    # Other seeds, another threshold: what lies around it is made again.
    options = options_of(tmp_path, data, 'ppc_seam_psa_laptop_long', seed=1)
    manifests = run(options, FakeStages(best=0.3))
    assert manifests['affinity']['threshold']['value'] == 0.3
    affinity = Config.fromfile(str(tmp_path / 'affinity/config.py'))
    assert affinity.default_hooks.labels.high.constant == 0.19


def test_labels_and_floor_of_irn_follow_the_threshold_of_the_seeds(tmp_path: Path, data: Path):
    run(options_of(tmp_path, data, 'ppc_seam_irn_laptop'), FakeStages(best=0.46))
    labels = Config.fromfile(str(tmp_path / 'affinity/config.py')).default_hooks.labels
    assert (labels.fg_threshold, labels.bg_threshold) == (0.55, 0.35)
    assert Config.fromfile(str(tmp_path / 'masks/config.py')).model.test_cfg.seed_floor == 0.35


def test_an_offset_stays_within_the_scores():
    settings = {'a': '{threshold-0.2}', 'b': ['{threshold+.6}', '{threshold}', 'x']}
    assert fill(settings, {}, 0.1) == {'a': 0.0, 'b': [0.7, 0.1, 'x']}
    assert fill(settings, {}, 0.5) == {'a': 0.3, 'b': [1.0, 0.5, 'x']}
    with pytest.raises(ValueError, match=r'\{threshold-0.2\}: no threshold was chosen yet'):
        fill(settings, {}, None)
