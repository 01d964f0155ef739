import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.fileio import get_file_backend
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseTTAModel
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmppc.utils import checkpoint as module
from mmppc.utils.checkpoint import (
    CheckpointError,
    check_checkpoint_fits,
    find_latest_checkpoint,
    load_checkpoint,
)


class Attack:
    """Pickles into a call."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


@pytest.fixture(params=['weights_only', 'restricted_pickle'])
def either_way(request, monkeypatch):
    """Both ways of loading: of PyTorch >= 2.5, and of older releases."""
    if request.param == 'restricted_pickle':
        monkeypatch.delattr(torch.serialization, 'safe_globals', raising=False)
    elif not hasattr(torch.serialization, 'safe_globals'):
        pytest.skip('this release of PyTorch cannot extend its weights-only unpickler')


def mmengine_checkpoint():
    buffer = HistoryBuffer()
    buffer.update(2.0)
    buffer.update(4.0, 3)
    return dict(
        meta=dict(iter=3, dataset_meta=dict(classes=('background', 'cat')), loss=np.float64(0.5)),
        state_dict=OrderedDict(weight=torch.arange(6.0).reshape(2, 3), step=torch.tensor(7)),
        message_hub=dict(
            log_scalars=OrderedDict(loss=buffer), runtime_info=OrderedDict(n=np.int64(2))
        ),
        optimizer=dict(state={0: dict(momentum_buffer=torch.ones(2).half())}, param_groups=[]),
        extra=dict(array=np.arange(3, dtype=np.uint8), size=torch.Size([1, 2])),
        param_schedulers=[dict(last_step=3)],
    )


def test_what_mmengine_stores_is_loaded(tmp_path, either_way):
    path = tmp_path / 'iter_3.pth'
    torch.save(mmengine_checkpoint(), path)
    loaded = load_checkpoint(path)
    assert loaded['message_hub']['log_scalars']['loss'].mean() == 1.5
    assert loaded['message_hub']['log_scalars']['loss'].statistics('max') == 4.0
    assert loaded['meta']['loss'] == 0.5
    assert loaded['extra']['array'].tolist() == [0, 1, 2]
    assert torch.equal(loaded['state_dict']['weight'], torch.arange(6.0).reshape(2, 3))
    assert loaded['optimizer']['state'][0]['momentum_buffer'].dtype == torch.half


def test_code_in_a_checkpoint_is_not_run_and_named(tmp_path, either_way):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    torch.save(dict(state_dict={}, extra=Attack(trace)), path)
    with pytest.raises(
        CheckpointError, match=r'evil\.pth holds more than weights: it refers to \w+\.system'
    ):
        load_checkpoint(path)
    assert not trace.exists()


def test_mmengine_loads_through_the_same_door(tmp_path):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    torch.save(dict(state_dict={}, extra=Attack(trace)), path)
    with pytest.raises(CheckpointError):
        CheckpointLoader.load_checkpoint(str(path), logger='silent')
    assert not trace.exists()
    assert CheckpointLoader._get_checkpoint_loader('https://host/a.pth') is module.load_from_http


def test_only_a_buffers_own_statistics_pass_as_getattr(tmp_path, either_way):
    class Reach:
        def __reduce__(self):
            return getattr, (HistoryBuffer, '__init__')

    path = tmp_path / 'reach.pth'
    torch.save(dict(extra=Reach()), path)
    with pytest.raises(CheckpointError, match='holds more than weights'):
        load_checkpoint(path)


def test_truncated_checkpoint(tmp_path, either_way):
    path = tmp_path / 'iter_3.pth'
    torch.save(mmengine_checkpoint(), path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match=r'iter_3\.pth (is not a whole|holds)'):
        load_checkpoint(path)


def test_missing_checkpoint_and_wrong_content(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'checkpoint not found: .*none\.pth'):
        load_checkpoint(tmp_path / 'none.pth')
    torch.save([1], tmp_path / 'list.pth')
    with pytest.raises(CheckpointError, match='holds a list, expected a dict'):
        load_checkpoint(tmp_path / 'list.pth')


def test_numpy_1_and_2_names_are_both_known(tmp_path, either_way):
    """A protocol-2 pickle names NumPy's modules in clear text, so the other release's can be put in."""
    path = tmp_path / 'array.pth'
    torch.save(dict(array=np.arange(3)), path)
    stream = pickle.dumps(dict(array=np.arange(3)), protocol=2)
    # NumPy 1.26 has a module _core too, but writes the other name.
    names = [b'numpy._core.multiarray', b'numpy.core.multiarray']
    here, there = names if names[0] in stream else names[::-1]
    assert here in stream
    _rewrite(path, stream.replace(here, there))
    assert load_checkpoint(path)['array'].tolist() == [0, 1, 2]


def _rewrite(path, stream):
    """Replace the pickle inside a PyTorch archive."""
    import zipfile

    with zipfile.ZipFile(path) as old:
        items = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED) as new:
        for name, data in items.items():
            new.writestr(name, stream if name.endswith('data.pkl') else data)


def test_latest_is_the_whole_one_that_was_written_last(tmp_path):
    assert find_latest_checkpoint(tmp_path) is None
    # 20000 is of an earlier training in this folder.
    for age, number in enumerate((11, 10, 9, 20000), start=1):
        torch.save({}, tmp_path / f'iter_{number}.pth')
        os.utime(tmp_path / f'iter_{number}.pth', (1e9 - age, 1e9 - age))
    torch.save({}, tmp_path / 'best_mIoU_iter_12.pth')
    broken = tmp_path / 'iter_11.pth'
    broken.write_bytes(broken.read_bytes()[:-40])
    assert find_latest_checkpoint(tmp_path) == tmp_path / 'iter_10.pth'


def test_atomic_backend_leaves_the_old_file_when_writing_fails(tmp_path):
    backend = get_file_backend(str(tmp_path), backend_args=dict(backend='atomic'))
    path = tmp_path / 'new' / 'a.pth'
    backend.put(b'one', str(path))
    with pytest.raises(TypeError):
        backend.put('not bytes', str(path))
    assert path.read_bytes() == b'one'
    assert [item.name for item in path.parent.iterdir()] == ['a.pth']


class Network(nn.Module):
    def __init__(self, classes=3, name='head'):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        self.add_module(name, nn.Conv2d(4, classes, 1))

    def test_step(self, data):
        """Makes it a network that test-time augmentation accepts."""


def test_a_fitting_checkpoint_passes_whatever_wraps_it():
    state = Network().state_dict()
    check_checkpoint_fits(Network(), dict(state_dict=state))
    check_checkpoint_fits(Network(), {f'module.{name}': value for name, value in state.items()})

    class Merge(BaseTTAModel):
        def merge_preds(self, data_samples_list):
            return data_samples_list

    check_checkpoint_fits(Merge(module=Network()), state)
    older = {name: value for name, value in state.items() if 'num_batches_tracked' not in name}
    check_checkpoint_fits(Network(), {**older, 'auxiliary.weight': torch.ones(1)})


def test_another_architecture_is_refused_with_both_sides_names():
    other = {f'layer{k}.weight': torch.ones(1) for k in range(5)}
    with pytest.raises(CheckpointError) as caught:
        check_checkpoint_fits(Network(), other, 'resnet.pth', strict=False)
    message = str(caught.value)
    assert message.startswith('resnet.pth is of another architecture: none of the 8 parameters')
    assert 'layer0.weight, layer1.weight, layer2.weight, ... 5 in all' in message
    assert 'body.0.weight' in message


def test_a_partial_checkpoint_is_refused_only_when_strict():
    state = Network(name='other').state_dict()
    check_checkpoint_fits(Network(), state, strict=False)
    with pytest.raises(
        CheckpointError, match=r'2 of 8 parameters are missing \(head\.weight, head\.bias\)'
    ):
        check_checkpoint_fits(Network(), state)


def test_another_number_of_classes_is_refused_with_both_numbers():
    meta = dict(dataset_meta=dict(classes=('background', 'cat', 'dog', 'cow', 'owl')))
    saved = dict(state_dict=Network(classes=5).state_dict(), meta=meta)
    with pytest.raises(CheckpointError) as caught:
        check_checkpoint_fits(Network(classes=3), saved, 'a.pth')
    assert str(caught.value) == (
        'a.pth has another number of classes: head.weight has 5 outputs, trained for 5 classes: background, '
        'cat, dog, ... 5 in all; the config asks for 3 outputs'
    )


def test_another_width_is_not_taken_for_a_number_of_classes():
    state = Network().state_dict()
    state['head.weight'] = torch.ones(3, 8, 1, 1)
    with pytest.raises(CheckpointError, match=r'head\.weight \(3, 8, 1, 1\) != \(3, 4, 1, 1\)'):
        check_checkpoint_fits(Network(), state)


@pytest.mark.parametrize(
    'content', [b'Just a text.\n', b'\x80\x02].', b'\x80\x04\x8c\x02\xff\xfe.', b'']
)
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / 'a.pth'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r'a\.pth'):
        load_checkpoint(path)
