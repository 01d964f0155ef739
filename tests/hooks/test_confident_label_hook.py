"""ConfidentLabelHook: labels are there when the first batch is loaded, and on every rank."""

import multiprocessing
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.runner import Runner, loops
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from mmppc.hooks.confident_label_hook import ConfidentLabelHook
from mmppc.storage import load_mask, save_mask, save_seed

CLASSES = ('background', 'cat', 'dog')
PICTURES = 5


@DATASETS.register_module(force=True)
class LabelledPictures(BaseDataset):
    METAINFO = {'classes': CLASSES}

    def __init__(self, folder, pipeline=()):
        self.folder = Path(folder)
        super().__init__()
        # A transform that waits for the folder, in the copy of the pipeline that each loading process has.
        self.step = SimpleNamespace(label_dir=None)
        self.pipeline.transforms.append(self.step)

    def load_data_list(self):
        return [
            {
                'sample_id': f'set/{number}',
                'img_path': str(self.folder / f'{number}.png'),
                'seg_map_path': str(self.folder / f'truth/{number}.png'),
            }
            for number in range(PICTURES)
        ]

    def prepare_data(self, index):
        name = self.get_data_info(index)['sample_id']
        return {'inputs': torch.tensor(load_mask(self.step.label_dir / f'{name}.png', 3))}


@MODELS.register_module(force=True)
class ScaleModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs, mode='loss'):
        return {'loss': self.scale * torch.stack(inputs).float().mean()}


class EagerIterator(loops._InfiniteDataloaderIterator):
    """Starts to load at once, as that of MMEngine 0.10.7 does by itself."""

    def __init__(self, dataloader):
        super().__init__(dataloader)
        if getattr(self, '_iterator', None) is None:
            self._iterator = iter(dataloader)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(PICTURES):
        grey = np.repeat(np.array([10, 120, 240], np.uint8), 6) * np.ones((9, 1), np.uint8)
        Image.fromarray(grey).save(tmp_path / f'{number}.png')
        scores = np.select([grey == 240, grey == 120], [0.9, 0.15], 0)[None]
        seed = tmp_path / f'seeds/set/{number}.npz'
        save_seed(seed, scores, [2], num_classes=3, meta={'weights': 'w'})
        truth = np.where(grey > 10, 2, 0)
        save_mask(tmp_path / f'truth/{number}.png', truth, [(0, 0, 0)] * 3)
    return tmp_path


def train(folder, *, loading=0, **hook):
    config = {
        'default_scope': 'mmseg',
        'model': {'type': 'ScaleModel'},
        'work_dir': str(folder / 'work'),
        'train_dataloader': {
            'batch_size': 1,
            'num_workers': loading,
            'persistent_workers': bool(loading),
            'dataset': {'type': 'LabelledPictures', 'folder': str(folder)},
            'sampler': {'type': 'InfiniteSampler'},
        },
        'train_cfg': {'type': 'IterBasedTrainLoop', 'max_iters': 3},
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.1}},
        'custom_hooks': [
            {
                'type': 'ConfidentLabelHook',
                'seed_dir': str(folder / 'seeds'),
                'label_dir': str(folder / 'labels'),
                'kind': 'irn',
                'workers': 0,
                **hook,
            }
        ],
        'experiment_name': f'run-{np.random.default_rng().integers(1 << 62)}',
    }
    runner = Runner.from_cfg(Config(config))
    runner.train()
    return runner


@pytest.mark.parametrize('iterator', [loops._InfiniteDataloaderIterator, EagerIterator])
@pytest.mark.parametrize('loading', [0, 1])
def test_labels_are_there_for_the_first_batch(folder, monkeypatch, iterator, loading):
    pytest.importorskip('pydensecrf')
    monkeypatch.setattr(loops, '_InfiniteDataloaderIterator', iterator)
    runner = train(folder, loading=loading)
    # The mean of the labels 0, 255 and 2, three steps long.
    assert runner.model.scale.item() == pytest.approx(1 - 3 * 0.1 * 257 / 3, rel=1e-5)
    label = load_mask(folder / 'labels/set/4.png', 3)
    assert (label == np.repeat([0, 255, 2], 6)).all()


def test_finished_labels_stay_and_missing_ones_are_made(folder, monkeypatch):
    pytest.importorskip('pydensecrf')
    train(folder)
    (folder / 'labels/set/3.png').unlink()
    lines = []
    text = 'mmppc.hooks.confident_label_hook.print_log'
    monkeypatch.setattr(text, lambda line, **_: lines.append(line))
    train(folder)
    train(folder)
    expected = (
        f'labels of 5 pictures in {folder}/labels (%d made now): 33.33 %% of the pixels background, '
        '33.33 %% foreground, 33.33 %% unsure; 100.0 %% of the sure ones are right'
    )
    assert lines == [expected % 1, expected % 0]


def test_errors_come_before_training(folder):
    pytest.importorskip('pydensecrf')
    train(folder)
    with pytest.raises(FileExistsError, match=r'field fg_threshold: .* made with 0\.3, not 0\.4'):
        train(folder, fg_threshold=0.4)
    with pytest.raises(ValueError, match=r"unknown settings \['low'\]"):
        train(folder, low={'alpha': 4})
    (folder / 'seeds/set/2.npz').unlink()
    message = r"no seed for 1 of 5 pictures: 'set/2'; .*tools/test\.py CAM_CONFIG CHECKPOINT --tta"
    with pytest.raises(FileNotFoundError, match=message):
        train(folder)


class FakeRunner:
    """What the hook asks of a runner."""

    def __init__(self, folder):
        loader = torch.utils.data.DataLoader(LabelledPictures(folder))
        self.train_dataloader = loader
        self.train_loop = None


def run_rank(rank, world, folder, queue):
    os.chdir(folder)
    torch.set_num_threads(1)
    method = f'file://{folder}/store'
    torch.distributed.init_process_group('gloo', init_method=method, rank=rank, world_size=world)
    hook = ConfidentLabelHook(str(folder / 'seeds'), 'irn', str(folder / 'labels'), workers=0)
    hook.before_train(FakeRunner(folder))
    found = len(list((folder / 'labels/set').glob('*.png')))
    report = (folder / 'labels/labels.json').read_text()
    refused = ConfidentLabelHook(
        str(folder / 'seeds'), 'irn', str(folder / 'labels'), bg_threshold=0.1, workers=0
    )
    try:
        refused.before_train(FakeRunner(folder))
    except FileExistsError as error:
        queue.put((rank, found, report, str(error)))
    torch.distributed.barrier()
    torch.distributed.barrier()  # PyTorch 2.1 may hang where a group ends while a collective holds a tensor
    torch.distributed.destroy_process_group()


def test_two_ranks_share_the_work(folder):
    pytest.importorskip('pydensecrf')
    context = multiprocessing.get_context('spawn')
    queue = context.Queue()
    ranks = [context.Process(target=run_rank, args=(rank, 2, folder, queue)) for rank in range(2)]
    for process in ranks:
        process.start()
    found = [queue.get(timeout=120) for _ in ranks]
    for process in ranks:
        process.join(60)
        assert process.exitcode == 0
    assert {count for _, count, _, _ in found} == {PICTURES}
    for _, _, report, error in found:
        assert '"written": 5' in report
        assert '"accuracy": 100.0' in report
        assert 'field bg_threshold: the labels there were made with 0.05, not 0.1' in error
