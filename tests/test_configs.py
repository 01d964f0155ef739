"""Every config in the tree builds in a fresh process."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(path.relative_to(ROOT) for path in (ROOT / 'configs').glob('*.py'))
NAMED = {
    'cam_voc', 'cam_toy', 'cam_laptop', 'seam_voc', 'seam_toy', 'seam_laptop',
    'ppc_seam_voc', 'ppc_seam_toy', 'ppc_seam_laptop',
    'ppc_seam_voc_published', 'ppc_seam_toy_published', 'ppc_seam_laptop_published',
    'deeplab-largefov_resnet38_voc', 'deeplab-largefov_resnet38_toy',
    'deeplab-largefov_efficientnet-lite0_laptop',
}  # fmt: skip

# Everything but the data, which is not there: model, its wrapper for testing, optimizer and schedule, pipelines, hooks,
# metrics.
BUILD = """
import sys
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmppc.utils.runner import read_config, use_tta
cfg = read_config(sys.argv[1])
import mmppc
from mmcv.transforms import Compose
from mmseg.registry import DATA_SAMPLERS, DATASETS, HOOKS, METRICS, MODELS, VISUALIZERS
init_default_scope(cfg.default_scope)
if 'init_cfg' in cfg.model.backbone:
    cfg.model.backbone.pop('init_cfg')
model = MODELS.build(cfg.model)
wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
assert sum(len(group['params']) for group in wrapper.optimizer.param_groups) > 0
for split in ('train', 'val', 'test'):
    loader = cfg[f'{split}_dataloader']
    assert loader.dataset.type in DATASETS and loader.sampler.type in DATA_SAMPLERS
    Compose(loader.dataset.pipeline)
    if split != 'train':
        evaluators = cfg[f'{split}_evaluator']
        for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
            METRICS.build(evaluator)
VISUALIZERS.build(cfg.visualizer)
for hook in [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]:
    HOOKS.build(hook)
assert cfg.param_scheduler[0].end > cfg.train_cfg.max_iters
use_tta(cfg)
Compose(cfg.test_dataloader.dataset.pipeline)
cfg.model.module = model
MODELS.build(cfg.model)
print('built')
"""


def test_configs_named_in_the_readme_exist() -> None:
    assert len(CONFIGS) >= len(NAMED)
    assert {path.stem for path in CONFIGS} >= NAMED
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    for path in CONFIGS:
        assert path.name in readme


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_builds(path: Path) -> None:
    run = subprocess.run(
        [sys.executable, '-c', BUILD, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.strip().endswith('built')
