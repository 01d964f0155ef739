"""Builds configs in one fresh process, which imports the package as a user's process would."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Everything but the data, which is not there: model, its wrapper for testing, optimizer and schedule, pipelines, hooks,
# metrics. One process for all, since importing the stack takes longer than building; one line of JSON a config.
BUILD = """
import json
import sys
import traceback
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmppc.utils.config_file import read_config
from mmppc.utils.runner import use_tta

def build(path):
    cfg = read_config(path)
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
        loader = cfg.get(f'{split}_dataloader')
        if loader is None:
            assert split == 'val' and cfg.get('val_cfg') is None
            continue
        assert loader.dataset.type in DATASETS and loader.sampler.type in DATA_SAMPLERS
        Compose(loader.dataset.pipeline)
        if split != 'train':
            evaluators = cfg[f'{split}_evaluator']
            for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
                METRICS.build(evaluator)
    VISUALIZERS.build(cfg.visualizer)
    for hook in [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]:
        HOOKS.build(hook)
    # A config may say that its rate falls to 0 before the end, as one published schedule does.
    assert cfg.param_scheduler[0].end > cfg.get('poly_steps', cfg.train_cfg.max_iters)
    if 'tta_model' not in cfg:
        assert cfg.model.type == 'AffinitySegmentor'
        return
    use_tta(cfg)
    Compose(cfg.test_dataloader.dataset.pipeline)
    cfg.model.module = model
    MODELS.build(cfg.model)

for path in sys.argv[1:]:
    try:
        build(path)
        error = None
    except Exception:
        error = traceback.format_exc()
    print('RESULT ' + json.dumps([path, error]), flush=True)
"""


def build_configs(
    paths: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> dict[str, str | None]:
    """Config -> the traceback of building all it names, None if that went well."""
    run = subprocess.run(
        [sys.executable, '-c', BUILD, *map(str, paths)],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
    )
    lines = [line[7:] for line in run.stdout.splitlines() if line.startswith('RESULT ')]
    assert run.returncode == 0, run.stderr[-3000:]
    assert len(lines) == len(paths)
    return dict(json.loads(line) for line in lines)
