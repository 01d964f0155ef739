"""Each row of Tables 5 to 7 and of the other studies is a config that builds on every data set with the right parts."""

import os

import pytest
from mmseg.registry import HOOKS, MODELS

import mmppc  # noqa: F401
from mmppc.functional.contrast_options import ContrastOptions
from mmppc.pipeline.ablation_rows import (
    DATASETS,
    ROOT,
    TABLES,
    Row,
    choose_rows,
    row_config,
    table_on,
)
from mmppc.utils.config_file import read_config
from tests.config_builder import build_configs

SWITCHES = ('cross_prototype', 'cross_cam', 'intra', 'prototype_mining', 'pixel_sampling')
ALL = (True,) * 5
# The contrast's switches and K; None without a contrast.
TABLE_5 = {
    'cam': None,
    'seam': None,
    'cross_prototype': (True, False, False, True, True),
    'cross_cam': (True, True, False, True, True),
    'intra': (True, True, True, False, False),
    'prototype_mining': (True, True, True, True, False),
    'pixel_sampling': ALL,
}
TABLE_6 = {'k0': None, 'k4': 4, 'k8': 8, 'k16': 16, 'k32': 32, 'k64': 64}
TABLE_7 = {
    'none': (),
    'rescale': ('RescaleView',),
    'flip': ('FlipView', 'RescaleView'),
    'rotation': ('RotateView', 'RescaleView'),
    'translation': ('TranslateView', 'RescaleView'),
}
# What a row of the other studies sets in the contrast.
STUDIES = {
    'presets': {
        'cam': None,
        'seam': None,
        'paper': {'bg_threshold': 0.2, 'cross_weight': 0.1, 'intra_weight': 0.1},
        'published': {'preset': 'published'},
    },
    'bg_threshold': {f'0.{tenth}': {'bg_threshold': tenth / 10} for tenth in range(1, 6)},
    'temperature': {
        value: {'temperature': float(value)} for value in ('0.05', '0.1', '0.2', '0.5')
    },
    'weight': {
        '0': None,
        **{
            value: {'cross_weight': float(value), 'intra_weight': float(value)}
            for value in ('0.1', '0.3', '1.0', '3.0')
        },
    },
    'warmup': {'0': {}, '25': {}, '50': {}},
}
# What the whole method has on a data set, where that is not the preset's.
_LAPTOP = {'bg_threshold': 0.4, 'cross_weight': 1.0, 'intra_weight': 1.0}
OWN = {'laptop': _LAPTOP, 'laptop_long': _LAPTOP}
ROWS = [(name, row) for name in ('5', '6', '7') for row in TABLES[name].rows]
STUDY_ROWS = [(name, row) for name in STUDIES for row in TABLES[name].rows]
NARROW = dict(base_channels=2, depths=(1, 1, 1, 1))


def build(row: Row, dataset: str):
    """The row's network, narrow and without downloads, and its config."""
    cfg = row_config(row, dataset)
    model = cfg.model.copy()
    model.pop('data_preprocessor')
    model.backbone.pop('init_cfg', None)
    if model.backbone.type == 'ResNet38':
        model.backbone.update(NARROW)
        model.decode_head.in_channels = 128
        if model.decode_head.get('refine'):
            model.decode_head.refine.update(in_channels=(16, 32), channels=(4, 8), out_channels=15)
        if model.get('neck'):
            model.neck.in_channels = 128
    else:
        model.backbone.update(pretrained=False)
    return MODELS.build(model), cfg


def test_rows_are_the_papers() -> None:
    expected = {'5': TABLE_5, '6': TABLE_6, '7': TABLE_7, **STUDIES}
    assert {name: [row.key for row in table.rows] for name, table in TABLES.items()} == {
        name: list(rows) for name, rows in expected.items()
    }
    files = {path.stem for path in (ROOT / 'configs' / 'ablations').glob('*.py')}
    assert {row.config for _, row in [*ROWS, *STUDY_ROWS]} == files
    for table in TABLES.values():
        assert table.reference in [row.key for row in table.rows]
        assert len({row.config for row in table.rows}) == len(table.rows)
    assert TABLES['5'].stem == 'table5'
    assert TABLES['warmup'].stem == 'warmup'


@pytest.mark.parametrize('dataset', DATASETS)
@pytest.mark.parametrize(('table', 'row'), ROWS, ids=lambda value: getattr(value, 'key', value))
def test_row_has_its_parts(table: str, row: Row, dataset: str) -> None:
    model, cfg = build(row, dataset)
    losses = dict(model.losses.items())
    plain = row.key in ('cam', 'none')
    assert (model.view is None) == plain
    assert ('equivariance' in losses) != plain
    assert (model.decode_head.refine is None) == plain
    ending = {'voc': 'VOC2012', 'laptop': 'voc6'}.get(dataset.split('_')[0], dataset)
    assert cfg.train_dataloader.dataset.data_root.endswith(ending)
    options = losses['contrast'].options if 'contrast' in losses else None
    assert (options is None) == (plain or row.key in ('seam', 'k0'))
    assert (model.neck is None) == (options is None)
    if options is not None:
        switches = tuple(getattr(options, name) for name in SWITCHES)
        assert switches == (TABLE_5[row.key] if table == '5' else ALL)
        assert options.topk == (TABLE_6[row.key] if table == '6' else 32)
    if table == '7':
        parts = [] if model.view is None else list(getattr(model.view, 'views', [model.view]))
        assert tuple(type(part).__name__ for part in parts) == TABLE_7[row.key]
        if parts:
            assert parts[-1].size == ((64, 64) if dataset in ('toy', 'parts') else (128, 128))
        if row.key == 'rotation':
            assert parts[0].degrees == (-20, 20)
        if row.key == 'translation':
            assert parts[0].pixels == 16


@pytest.mark.parametrize('dataset', DATASETS)
@pytest.mark.parametrize(
    ('study', 'row'), STUDY_ROWS, ids=lambda value: getattr(value, 'key', value)
)
def test_row_of_a_study_sets_what_it_says(study: str, row: Row, dataset: str) -> None:
    expected = STUDIES[study][row.key]
    model, cfg = build(row, dataset)
    if expected is None:
        assert 'contrast' not in model.losses
        return
    found = vars(model.losses['contrast'].options)
    if row.key == 'published':
        assert found == vars(ContrastOptions.from_preset('published'))
        assert found['proto_candidates'] != ContrastOptions().proto_candidates
    else:
        assert found == vars(ContrastOptions(**{**OWN.get(dataset, {}), **expected}))
    hooks = [hook for hook in cfg.default_hooks.values() if hook.type == 'LossRampHook']
    if study != 'warmup' or row.key == '0':
        assert hooks == []
    else:
        (hook,) = hooks
        assert (hook.loss, hook.begin, hook.end) == ('contrast', *[int(row.key) / 100] * 2)
        assert HOOKS.build(hook).begin > 0


def test_rows_of_one_experiment_share_their_config() -> None:
    shared = {row.key: row.config for _, row in ROWS}
    assert shared['k0'] == shared['seam']
    assert shared['k32'] == shared['rescale'] == shared['pixel_sampling']
    assert shared['none'] == shared['cam']
    whole = {('temperature', '0.1'), ('warmup', '0')}
    assert {(name, row.key) for name, row in STUDY_ROWS if row.config == shared['k32']} == whole
    # The whole method is the config that users take.
    for dataset in DATASETS:
        cfg = row_config(TABLES['5'].rows[-1], dataset)
        whole = read_config(str(ROOT / 'configs' / f'ppc_seam_{dataset}.py'))
        assert cfg.model == whole.model


def test_row_is_a_config_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    path = 'configs/ablations/table7_rotation.py'
    assert build_configs([path], {'MMPPC_DATASET': 'toy'}) == {path: None}
    # Without the variable it is of VOC.
    monkeypatch.delenv('MMPPC_DATASET', raising=False)
    for row in TABLES['7'].rows:
        cfg = read_config(str(ROOT / 'configs' / 'ablations' / f'{row.config}.py'))
        assert cfg.pretty_text == row_config(row, 'voc').pretty_text
        assert cfg.work_dir == f'work_dirs/{row.config}'


def test_options_reach_the_rows_that_have_what_they_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('MMPPC_DATASET', raising=False)
    options = {'model.losses.contrast.preset': 'published', 'train_cfg.max_iters': 7}
    cam, *_, whole = (row_config(row, 'toy', options) for row in TABLES['5'].rows)
    assert 'contrast' not in cam.model.losses
    assert whole.model.losses.contrast.preset == 'published'
    assert cam.train_cfg.max_iters == whole.train_cfg.max_iters == 7
    assert 'MMPPC_DATASET' not in os.environ


def test_rows_are_chosen_by_name() -> None:
    assert [row.key for row in choose_rows(TABLES['6'], ['k64', 'k4'])] == ['k4', 'k64']
    assert choose_rows(TABLES['7']) == TABLES['7'].rows
    with pytest.raises(ValueError, match=r'table 5 has no row k4; it has cam, seam'):
        choose_rows(TABLES['5'], ['cam', 'k4'])


@pytest.mark.parametrize('dataset', DATASETS)
def test_a_value_that_is_the_data_sets_own_shares_the_runs_of_the_whole_method(
    dataset: str,
) -> None:
    options = ContrastOptions(**OWN.get(dataset, {}))
    whole = TABLES['5'].rows[-1].config
    own = {'bg_threshold': str(options.bg_threshold), 'weight': str(options.cross_weight)}
    if dataset not in OWN:
        own['presets'] = 'paper'
    for name, table in TABLES.items():
        shared = table_on(table, dataset)
        changed = [new.key for old, new in zip(table.rows, shared.rows) if new != old]
        assert changed == ([own[name]] if name in own else [])
        assert all(new.config == whole for new in shared.rows if new.key in changed)
