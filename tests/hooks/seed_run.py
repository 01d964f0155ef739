"""A test run small enough for a unit test: a made-up network, real loops, hooks and metrics."""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import LabelData, PixelData
from mmseg.registry import DATASETS, MODELS
from mmseg.structures import SegDataSample

from mmppc.storage import load_seed

CLASSES = ('background', 'cat', 'dog', 'cow')
PICTURES = 7
TAGLESS = 3
SAMPLE_ID = 'set {kind}/{number}'


@DATASETS.register_module(force=True)
class NumberedPictures(BaseDataset):
    """``PICTURES`` random pictures of growing width; ``TAGLESS`` has no tag, number 5 no truth."""

    METAINFO = {'classes': CLASSES}

    def __init__(self, picture_seed=0, pipeline=()):
        self.picture_seed = picture_seed
        super().__init__()

    def load_data_list(self):
        infos = []
        for number in range(PICTURES):
            tags = np.zeros(3, np.float32)
            tags[[number % 3, (number + 1) % 3][: 1 + number % 2]] = number != TAGLESS
            name = SAMPLE_ID.format(kind=number % 2, number=number)
            infos.append({'number': number, 'sample_id': name, 'tags': tags, 'img_path': 'none'})
        return infos

    def prepare_data(self, index):
        info = self.get_data_info(index)
        draw = np.random.default_rng([self.picture_seed, info['number']])
        size = (6, 8 + info['number'])
        meta = {'sample_id': info['sample_id'], 'ori_shape': size, 'img_path': 'none'}
        sample = SegDataSample(metainfo=meta)
        sample.gt_tags = LabelData(label=torch.tensor(info['tags']))
        if info['number'] != 5:
            truth = draw.choice([0, 1, 2, 3, 255], (1, *size))
            sample.gt_sem_seg = PixelData(data=torch.tensor(truth))
        inputs = torch.tensor(draw.random((3, *size)), dtype=torch.float32)
        return {'inputs': inputs, 'data_samples': sample}


@MODELS.register_module(force=True)
class EchoSegmentor(BaseModel):
    """Predicts its input, masked by the tags; notes each picture it is run on in ``log``."""

    def __init__(self, log, gain=1.0, fail_at=None):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(gain))
        self.log = Path(log)
        self.fail_at = fail_at

    def forward(self, inputs, data_samples=None, mode='tensor'):
        for picture, sample in zip(inputs, data_samples):
            if self.fail_at is not None and sample.sample_id.endswith(self.fail_at):
                raise KeyboardInterrupt
            scores = (picture * self.gain).clamp(0, 1) * sample.gt_tags.label[:, None, None]
            logits = torch.cat([torch.full_like(scores[:1], 0.3), scores])
            sample.seg_logits = PixelData(data=logits)
            sample.pred_sem_seg = PixelData(data=logits.argmax(0, keepdim=True))
            sample.pred_tags = LabelData(score=picture.mean(dim=(1, 2)))
            with open(self.log, 'a') as file:
                file.write(f'{sample.sample_id}\n')
        return data_samples


def run(
    folder,
    *,
    gain=1.0,
    fail_at=None,
    metrics=True,
    workers=0,
    keep_log=False,
    picture_seed=0,
    **hook,
):
    """Test once; return the figures and the sample ids of the pictures the network was run on."""
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    log = folder / 'runs.txt'
    if not keep_log:
        log.unlink(missing_ok=True)
    evaluator = [
        {'type': 'SeedMetric', 'split': 'val', 'threshold': 0.3, 'out_dir': str(folder / 'metric')},
        {'type': 'TagMetric'},
    ]
    loader = {
        'batch_size': 2,
        'num_workers': workers,
        # Stands for any setting of the pipeline, which the seeds depend on.
        'dataset': {
            'type': 'NumberedPictures',
            'picture_seed': picture_seed,
            'pipeline': [picture_seed],
        },
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'collate_fn': {'type': 'pseudo_collate'},
    }
    config = {
        'default_scope': 'mmseg',
        'model': {'type': 'EchoSegmentor', 'log': str(log), 'gain': gain},
        'work_dir': str(folder / 'work'),
        'test_dataloader': loader,
        'test_evaluator': evaluator if metrics else [],
        'test_cfg': {'type': 'TestLoop'},
        'custom_hooks': [{'type': 'SeedGenerationHook', 'out_dir': str(folder / 'seeds'), **hook}],
        'experiment_name': f'run-{np.random.default_rng().integers(1 << 62)}',
    }
    runner = Runner.from_cfg(Config(config))
    runner.model.fail_at = fail_at
    figures = runner.test()
    return figures, log.read_text().split('\n')[:-1] if log.is_file() else []


def stored(folder):
    """Every seed below ``folder`` by its sample id."""
    root = Path(folder) / 'seeds'
    files = sorted(root.rglob('*.npz'))
    return {path.relative_to(root).with_suffix('').as_posix(): load_seed(path) for path in files}
