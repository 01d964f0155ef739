"""A CAM network that trains in seconds, as a config file, and the tools as separate processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

from mmppc.datasets import draw_toy_set

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """
_base_ = [{runtime!r}]
custom_imports = dict(imports=['mmppc', 'kill_hook'], allow_failed_imports=False)
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='RandomResizeLong', low=48, high=80),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter'),
    dict(type='RandomCropPad', crop_size=48),
    dict(type='PackTaggedInputs'),
]
test_pipeline = [
    dict(type='LoadPicture'), dict(type='LoadIndexMask'), dict(type='PackTaggedInputs')
]
tta_pipeline = [
    dict(type='LoadPicture'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale_factor=r, keep_ratio=True) for r in (0.5, 1.0)],
            [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)],
            [dict(type='LoadIndexMask')],
            [dict(type='PackTaggedInputs')],
        ],
    ),
]
tta_model = dict(type='CAMTTAModel')
data = dict(
    type='TaggedImageDataset',
    data_root={data!r},
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    tag_file='tags.csv',
    classes_file='classes.txt',
)
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='SeededSampler'),
    dataset=dict(**data, ann_file='ImageSets/Segmentation/train.txt', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**data, ann_file='ImageSets/Segmentation/val.txt', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
model = dict(
    type='CAMSegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size_divisor=1,
        test_cfg=dict(size_divisor=1),
    ),
    backbone=dict(
        type='ResNet38',
        base_channels=4,
        depths=(1, 1, 1, 1),
        norm_eval=False,
        train_bn_affine=True,
        frozen_stages=-1,
    ),
    neck=dict(type='PixelProjector', in_channels=256, out_channels=16),
    decode_head=dict(type='CAMHead', in_channels=256, num_classes={num_classes}),
    view=dict(type='RescaleView', scale=0.5),
    losses=dict(
        tags=dict(type='TagClassificationLoss'),
        contrast=dict(type='PixelPrototypeContrastLoss', topk=4),
    ),
)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4)
)
param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=8, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=8, val_interval=3)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
find_unused_parameters = True
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=3, max_keep_ckpts=-1, save_last=True)
)
log_processor = dict(window_size=1)
"""

KILL_HOOK = """
import os
import signal

from mmengine.hooks import Hook
from mmseg.registry import HOOKS


@HOOKS.register_module()
class KillHook(Hook):
    def __init__(self, at):
        self.at = at

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def write_config(folder: Path) -> Path:
    """Write data, hook and config into ``folder``; returns the config."""
    data = draw_toy_set(folder / 'toy', num_train=12, num_val=4, size=64)
    classes = (data / 'classes.txt').read_text(encoding='utf-8').split()
    (folder / 'kill_hook.py').write_text(KILL_HOOK, encoding='utf-8')
    config = folder / 'tiny.py'
    runtime = str(ROOT / 'configs' / '_base_' / 'default_runtime.py')
    text = CONFIG.format(runtime=runtime, data=str(data), num_classes=len(classes))
    config.write_text(text, encoding='utf-8')
    return config


def run_tool(
    config: Path, name: str, *arguments: str, processes: int = 0, **variables: str
) -> subprocess.CompletedProcess:
    """Run ``tools/<name>.py`` in a folder that is not the repository."""
    command = [sys.executable]
    launcher = []
    if processes:
        command += [
            '-m',
            'torch.distributed.run',
            '--standalone',
            '--nproc_per_node',
            str(processes),
        ]
        launcher = ['--launcher', 'pytorch']
    command += [str(ROOT / 'tools' / f'{name}.py'), *arguments, *launcher]
    paths = [str(config.parent), *filter(None, [os.environ.get('PYTHONPATH')])]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(paths), **variables}
    return subprocess.run(
        command, cwd=config.parent, env=environment, capture_output=True, text=True, timeout=300
    )


def read_losses(work_dir: Path) -> dict[int, dict[str, float]]:
    """Logged losses of the latest run, by iteration."""
    log = max(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()]
    return {
        row['step']: {key: value for key, value in row.items() if 'loss' in key}
        for row in rows
        if 'loss' in row
    }
