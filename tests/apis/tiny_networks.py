"""A CAM network and a DeepLab of a few thousand random weights, with what a training leaves of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from PIL import Image

import mmppc  # noqa: F401

CLASSES = ('background', 'square', 'circle', 'cross')
PALETTE = [[0, 0, 0], [200, 0, 0], [0, 200, 0], [0, 0, 200]]

_PREPROCESSOR = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size=(32, 32),
)
_BACKBONE = dict(
    type='ResNet38', base_channels=2, depths=(1, 1, 1, 1), drop_ratios=(0.0, 0.0), norm_eval=False
)


def _data(pack: str = 'PackTaggedInputs') -> dict[str, Any]:
    pipeline = [
        dict(type='LoadImageFromFile', backend_args=dict(backend='picture')),
        dict(type='Resize', scale=(48, 48), keep_ratio=True),
        dict(type='LoadIndexMask'),
        dict(type=pack),
    ]
    tta_pipeline = [
        dict(type='LoadPicture'),
        dict(
            type='TestTimeAug',
            transforms=[
                [dict(type='Resize', scale=(side, side), keep_ratio=True) for side in (32, 48)],
                [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
                [dict(type='LoadIndexMask')],
                [dict(type='PackTaggedInputs')],
            ],
        ),
    ]
    loader = dict(dataset=dict(type='TaggedImageDataset', pipeline=pipeline))
    return dict(default_scope='mmseg', test_dataloader=loader, tta_pipeline=tta_pipeline)


def cam_config(**test_cfg: Any) -> dict[str, Any]:
    """A CAM network."""
    model = dict(
        type='CAMSegmentor',
        data_preprocessor=_PREPROCESSOR,
        backbone=_BACKBONE,
        decode_head=dict(type='CAMHead', in_channels=128, num_classes=len(CLASSES)),
        losses=dict(tags=dict(type='TagClassificationLoss')),
        test_cfg=dict(threshold=0.3, **test_cfg),
    )
    return dict(**_data(), model=model, tta_model=dict(type='CAMTTAModel'))


def seg_config() -> dict[str, Any]:
    """A stock EncoderDecoder."""
    model = dict(
        type='EncoderDecoder',
        data_preprocessor=_PREPROCESSOR,
        backbone={**_BACKBONE, 'out_indices': (3,)},
        decode_head=dict(
            type='LargeFOVHead',
            in_channels=128,
            in_index=0,
            channels=8,
            num_classes=len(CLASSES),
            dilation=2,
            loss_decode=dict(type='CrossEntropyLoss'),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )
    visualizer = dict(type='SegLocalVisualizer', vis_backends=[], name='tiny')
    return dict(**_data(), model=model, tta_model=dict(type='LogitTTAModel'), visualizer=visualizer)


def save_checkpoint(config: dict[str, Any], path: Path, seed: int = 0) -> Path:
    """Random weights, as MMEngine stores them."""
    init_default_scope('mmseg')
    torch.manual_seed(seed)
    model = MODELS.build(ConfigDict(config['model']))
    model.init_weights()
    head = model.decode_head
    # Logits far from each other, so that rounding decides nothing, and tags that differ.
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=1.0)
    meta = dict(dataset_meta=dict(classes=CLASSES, palette=PALETTE))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return path


def save_network(folder: Path, config: dict[str, Any], name: str = 'tiny') -> tuple[Path, Path]:
    """Config and checkpoint in a work folder."""
    folder.mkdir(parents=True, exist_ok=True)
    Config(config).dump(str(folder / f'{name}.py'))
    path = save_checkpoint(config, folder / 'iter_8.pth')
    (folder / 'last_checkpoint').write_text(f'/moved/since/{path.name}', encoding='utf-8')
    return folder / f'{name}.py', path


def scene(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    """A picture (H, W, 3) uint8 of coloured rectangles."""
    generator = np.random.default_rng(seed)
    picture = np.full((height, width, 3), generator.integers(0, 256, 3), np.uint8)
    for _ in range(6):
        y, x = generator.integers(0, height - 8), generator.integers(0, width - 8)
        side = generator.integers(6, 20)
        picture[y : y + side, x : x + side] = generator.integers(0, 256, 3)
    return picture


def save_picture(path: Path, picture: np.ndarray) -> Path:
    """Write an RGB picture without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path
