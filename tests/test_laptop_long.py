"""The long schedule of a laptop is the short one's method with a cache."""

from pathlib import Path

import pytest

from mmppc.utils.config_file import read_config

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


@pytest.mark.parametrize('method', ['cam', 'seam', 'ppc_seam', 'ppc_seam_published'])
def test_method_is_that_of_the_short_schedule(method: str) -> None:
    kind, published, _ = method.partition('_published')
    short = read_config(str(CONFIGS / f'{kind}_laptop{published}.py'))
    long = read_config(str(CONFIGS / f'{kind}_laptop_long{published}.py'), dict(cache_dir='/c'))
    frozen = long.model.backbone.pop('frozen_cache')
    used = [] if method == 'cam' else long.model.decode_head.refine.in_indices
    assert frozen.path == '/c/features.sqlite'
    assert frozen.get('dtype', 'float32') == 'float32'  # exact
    assert list(frozen.taps) == list(used)
    sampler = long.train_dataloader.sampler
    assert sampler.pop('cache').path == '/c/crops.sqlite'
    assert (sampler.pop('draws'), sampler.pop('draw_seed')) == (5, 0)
    for name in ('model', 'train_dataloader', 'test_dataloader', 'tta_pipeline', 'optim_wrapper'):
        assert long[name] == short[name], name
    assert long.train_cfg.max_iters == 5 * short.train_cfg.max_iters == 680
    assert long.param_scheduler[0].end == 681


@pytest.mark.parametrize('row', ['table5_cam', 'table5_intra', 'table6_k4', 'table7_flip'])
def test_rows_of_the_ablations_take_it(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MMPPC_DATASET', 'laptop_long')
    cfg = read_config(str(CONFIGS / 'ablations' / f'{row}.py'), dict(cache_dir='/c'))
    assert cfg.train_cfg.max_iters == 680
    assert cfg.model.backbone.frozen_cache.path == '/c/features.sqlite'
    assert cfg.train_dataloader.sampler.cache.path == '/c/crops.sqlite'
