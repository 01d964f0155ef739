"""The parts set and its backbone."""

import pytest
import torch

from mmppc.pipeline import parts_data
from mmppc.pipeline.parts_data import prepare_parts
from mmppc.pipeline.stage_process import run_stage
from mmppc.utils.checkpoint import load_checkpoint
from mmppc.utils.config_file import read_config
from mmppc.utils.places import project_folder


@pytest.fixture
def small(monkeypatch):
    """Few pictures, one step; the commands that were run."""
    draw, commands = parts_data.draw_toy_set, []

    def draw_few(root, num_train, num_val, seed=0, style='toy'):
        return draw(root, num_train // 125, num_val // 100, 64, seed, style)

    def one_step(title, command, log_file):
        commands.append(command)
        run_stage(title, [*command, 'train_cfg.max_iters=1'], log_file)

    monkeypatch.setattr(parts_data, 'draw_toy_set', draw_few)
    monkeypatch.setattr(parts_data, 'run_stage', one_step)
    return commands


@pytest.mark.slow
def test_backbone_is_trained_once_and_fits_the_rows(small, tmp_path):
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    import mmppc  # noqa: F401

    root = prepare_parts(tmp_path / 'parts set')
    assert len(small) == 1
    names = {path.name for path in root.iterdir()}
    assert {'JPEGImages', 'tags.csv', 'backbone.pth', 'pretraining'} <= names
    assert 'pretraining_work' not in names
    assert (root / 'tags.csv').read_text() != (root / 'pretraining' / 'tags.csv').read_text()
    weights = load_checkpoint(root / 'backbone.pth')['state_dict']
    assert all(name.startswith('backbone.') for name in weights)

    cfg = read_config(str(project_folder() / 'configs/cam_parts.py'), {'data_root': str(root)})
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    model.init_weights()
    state = model.state_dict()
    for name, value in weights.items():
        torch.testing.assert_close(state[name], value)

    assert prepare_parts(root) == root
    assert len(small) == 1


def test_a_failed_training_leaves_no_backbone(small, tmp_path, monkeypatch):
    def fail(title, command, log_file):
        raise ChildProcessError('killed')

    monkeypatch.setattr(parts_data, 'run_stage', fail)
    with pytest.raises(ChildProcessError, match='killed'):
        prepare_parts(tmp_path / 'parts')
    assert not (tmp_path / 'parts' / 'backbone.pth').exists()
