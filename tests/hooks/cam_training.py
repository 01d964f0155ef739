"""A training of the CAM stage on a few small pictures, for tests of hooks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner

import mmppc  # noqa: F401

DATA = dict(
    type='TaggedImageDataset',
    data_prefix=dict(img_path='JPEGImages'),
    tag_file='tags.csv',
    classes_file='classes.txt',
)
TRAIN = [
    dict(type='LoadPicture'),
    dict(type='RandomResizeLong', low=48, high=80),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomCropPad', crop_size=48),
    dict(type='PackTaggedInputs'),
]
TEST = [dict(type='LoadPicture'), dict(type='LoadIndexMask'), dict(type='PackTaggedInputs')]


def config(root: Path, work: Path, iters: int = 4, hooks: Sequence[dict] = (), **changes) -> Config:
    """A training that draws random numbers in this process, for pictures, dropout and pixels alike."""
    classes = (root / 'classes.txt').read_text(encoding='utf-8').split()
    data = {**DATA, 'data_root': str(root)}
    model = dict(
        type='CAMSegmentor',
        data_preprocessor=dict(type='SegDataPreProcessor', size=(48, 48), mean=[127.0] * 3, std=[60.0] * 3),
        backbone=dict(
            type='ResNet38', base_channels=2, depths=(1, 1, 1, 1), norm_eval=False, train_bn_affine=True,
            frozen_stages=2,
        ),
        neck=dict(type='PixelProjector', in_channels=128, out_channels=8),
        decode_head=dict(type='CAMHead', in_channels=128, num_classes=len(classes)),
        view=dict(type='RescaleView', scale=0.5),
        losses=dict(
            tags=dict(type='TagClassificationLoss'),
            contrast=dict(type='PixelPrototypeContrastLoss', topk=4),
        ),
    )  # fmt: skip
    lists = 'ImageSets/Segmentation'
    settings = dict(
        default_scope='mmseg',
        model=model,
        work_dir=str(work),
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='InfiniteSampler', shuffle=True),
            dataset=dict(**data, ann_file=f'{lists}/train.txt', pipeline=TRAIN),
        ),
        test_pipeline=TEST,
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=iters),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
        randomness=dict(seed=3),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        log_processor=dict(by_epoch=False),
        custom_hooks=list(hooks),
        vis_backends=[dict(type='LocalVisBackend')],
        experiment_name=f'cam-{np.random.default_rng().integers(1 << 62)}',
    )
    settings.update(changes)
    backends = settings.pop('vis_backends')
    name = settings['experiment_name']
    settings['visualizer'] = dict(type='SegLocalVisualizer', vis_backends=backends, name=name)
    return Config(settings)


def train(cfg: Config) -> Runner:
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner
