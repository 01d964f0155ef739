"""tools/train.py and tools/test.py: resuming after a kill, several processes, errors of the user."""

import importlib.util
import shutil
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from PIL import Image

from mmppc.utils import checkpoint
from tests.tools.tiny import ROOT, read_losses, run_tool, write_config

KILL = ['--cfg-options', 'default_hooks.kill.type=KillHook', 'default_hooks.kill.at=5']


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    return write_config(tmp_path_factory.mktemp('tiny'))


@pytest.fixture(scope='module')
def undisturbed(config):
    """A run from beginning to end."""
    done = run_tool(config, 'train', str(config), '--work-dir', 'undisturbed')
    assert done.returncode == 0, done.stderr
    return config.parent / 'undisturbed'


def train_with_a_kill(config, name, *options, processes=0):
    """Killed after iteration 5, with a checkpoint of iteration 3; then resumed to the end."""
    arguments = [str(config), '--work-dir', name]
    killed = run_tool(config, 'train', *arguments, *KILL, *options, processes=processes)
    assert killed.returncode == (1 if processes else -9), killed.stderr
    assert not (config.parent / name / 'iter_6.pth').exists()
    options = ['--cfg-options', *options] if options else []
    resumed = run_tool(config, 'train', *arguments, '--resume', *options, processes=processes)
    assert resumed.returncode == 0, resumed.stderr
    return config.parent / name


def assert_same_end(work_dir, reference):
    """The same losses from the resumed iteration on, to the last bit, and the same weights."""
    losses = read_losses(work_dir)
    expected = read_losses(reference)
    assert list(losses) == [4, 5, 6, 7, 8]
    assert losses == {step: expected[step] for step in losses}
    ends = [checkpoint.load_checkpoint(path / 'iter_8.pth') for path in (work_dir, reference)]
    for name, value in ends[1]['state_dict'].items():
        assert torch.equal(ends[0]['state_dict'][name], value), name


@pytest.mark.slow
@pytest.mark.parametrize('num_workers', [0, 1])
def test_killed_and_resumed_equals_undisturbed(config, undisturbed, num_workers):
    """The undisturbed run has two workers: their number does not matter either."""
    options = [f'train_dataloader.num_workers={num_workers}']
    if not num_workers:
        options.append('train_dataloader.persistent_workers=False')
    work_dir = train_with_a_kill(config, f'killed{num_workers}', *options)
    assert_same_end(work_dir, undisturbed)


@pytest.mark.slow
def test_killed_and_resumed_equals_undisturbed_on_two_ranks(config):
    done = run_tool(config, 'train', str(config), '--work-dir', 'two', processes=2)
    assert done.returncode == 0, done.stderr
    work_dir = train_with_a_kill(config, 'two_killed', processes=2)
    assert_same_end(work_dir, config.parent / 'two')


@pytest.mark.slow
def test_two_ranks_measure_what_one_does(config, undisturbed):
    results = []
    for processes in (0, 2):
        arguments = [str(config), str(undisturbed / 'iter_8.pth'), '--work-dir', f'test{processes}']
        done = run_tool(config, 'test', *arguments, processes=processes)
        assert done.returncode == 0, done.stderr
        results.append([line for line in done.stdout.splitlines() if line.startswith('|')])
    assert len(results[0]) == 8
    assert results[0] == results[1]


@pytest.mark.slow
def test_predictions_and_drawings_are_written_with_augmentation(config, undisturbed):
    outputs = ['--tta', '--out', 'masks', '--show-dir', 'shown']
    weights = str(undisturbed / 'iter_8.pth')
    done = run_tool(config, 'test', str(config), weights, '--work-dir', 'tta', *outputs)
    assert done.returncode == 0, done.stderr
    names = [f'val_{k:05d}' for k in range(4)]
    masks = sorted((config.parent / 'masks').glob('*.png'))
    assert [path.stem for path in masks] == names
    for path in masks:
        picture = Image.open(config.parent / 'toy' / 'JPEGImages' / f'{path.stem}.jpg')
        mask = np.array(Image.open(path))
        assert mask.shape == picture.size[::-1]
        assert mask.max() <= 6
    drawings = list((config.parent / 'shown').glob('vis_data/vis_image/*.png'))
    assert len(drawings) == 4
    # The config that the test leaves is the one that it read: it tests again, from elsewhere, as itself.
    left = config.parent / 'left.py'  # beside the hook that it imports
    shutil.copy(config.parent / 'tta' / config.name, left)
    before, after = (Config.fromfile(path, import_custom_modules=False) for path in (config, left))
    assert after.model.to_dict() == before.model.to_dict()
    assert after.test_dataloader.to_dict() == before.test_dataloader.to_dict()
    assert after.get('load_from') == before.get('load_from')
    for options in (['--tta'], []):
        done = run_tool(config, 'test', str(left), weights, '--work-dir', 'again', *options)
        assert done.returncode == 0, done.stderr
    assert not list((config.parent / 'again').glob('masks/*'))


def fail(capsys, monkeypatch, name, *arguments):
    """Run a tool in this process; returns the one message with which it must end."""
    spec = importlib.util.spec_from_file_location(f'tool_{name}', ROOT / 'tools' / f'{name}.py')
    tool = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, 'path', list(sys.path))
    monkeypatch.setattr(sys, 'argv', [f'{name}.py', *map(str, arguments)])
    monkeypatch.setenv('LOCAL_RANK', '0')
    spec.loader.exec_module(tool)
    MMLogger._instance_dict.clear()  # a run of the same second would write to the former one's output
    with pytest.raises(SystemExit) as ended:
        tool.main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert 'Traceback' not in error
    message = [line for line in error.splitlines() if line.startswith('error: ')]
    assert len(message) == 1
    return message[0]


@pytest.fixture
def here(config, monkeypatch):
    """The config as a file that can be changed, with its folder as the current one."""
    monkeypatch.chdir(config.parent)
    monkeypatch.syspath_prepend(str(config.parent))
    return config


def test_missing_files_are_named(here, capsys, monkeypatch):
    message = fail(capsys, monkeypatch, 'train', 'none.py')
    assert message == 'error: config not found: none.py'
    message = fail(capsys, monkeypatch, 'test', here, 'none.pth')
    assert message == 'error: checkpoint not found: none.pth'
    message = fail(capsys, monkeypatch, 'train', here, '--resume', 'none.pth')
    assert message == 'error: checkpoint not found: none.pth'
    options = ['--work-dir', 'bad', '--cfg-options', 'train_dataloader.dataset.ann_file=none.txt']
    message = fail(capsys, monkeypatch, 'train', here, *options)
    assert 'none.txt' in message


@pytest.mark.parametrize(
    ('tool', 'option', 'expected'),
    [
        (
            'train',
            '--auto-scale-lr',
            '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...)',
        ),
        pytest.param(
            'train',
            '--amp',
            '--amp needs a GPU',
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU'),
        ),
        ('test', '--tta', '--tta needs tta_model and tta_pipeline'),
    ],
)
def test_options_that_the_config_cannot_serve(here, capsys, monkeypatch, tool, option, expected):
    text = here.read_text(encoding='utf-8').replace('tta_', 'unused_')
    changed = here.with_name('changed.py')
    changed.write_text(text, encoding='utf-8')
    torch.save({}, 'empty.pth')
    weights = ['empty.pth'] if tool == 'test' else []
    assert expected in fail(capsys, monkeypatch, tool, changed, *weights, option)


@pytest.mark.parametrize('tool', ['test', 'train'])
def test_a_checkpoint_of_another_network_ends_the_run(here, capsys, monkeypatch, tool):
    torch.save(dict(state_dict={'layer1.weight': torch.ones(1)}, meta=dict(iter=1)), 'other.pth')
    weights = ['other.pth'] if tool == 'test' else ['--resume', 'other.pth']
    message = fail(capsys, monkeypatch, tool, here, *weights, '--work-dir', 'other')
    assert 'other.pth is of another architecture' in message


def test_a_checkpoint_with_another_number_of_classes_ends_the_run(here, capsys, monkeypatch):
    from mmengine.config import Config
    from mmseg.registry import MODELS

    network = MODELS.build(dict(Config.fromfile(here).model, _scope_='mmseg'))
    state = network.state_dict()
    state['decode_head.conv_seg.weight'] = torch.ones(21, 256, 1, 1)
    torch.save(dict(state_dict=state), 'voc.pth')
    message = fail(capsys, monkeypatch, 'test', here, 'voc.pth', '--work-dir', 'classes')
    assert 'decode_head.conv_seg.weight has 21 outputs; the config asks for 7 outputs' in message


def test_data_with_another_number_of_classes_ends_the_run(here, capsys, monkeypatch):
    options = ['--work-dir', 'count', '--cfg-options', 'model.decode_head.num_classes=5']
    message = fail(capsys, monkeypatch, 'train', here, *options)
    assert message.startswith('error: train_dataloader.dataset has 7 classes (background, ')
    assert 'the model has 5: set model.decode_head.num_classes=7' in message
