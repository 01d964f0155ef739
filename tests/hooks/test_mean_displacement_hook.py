"""The mean displacement after the training of IRN's network."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmseg.registry import HOOKS, MODELS
from PIL import Image
from torch.utils.data import DataLoader

from mmppc.datasets import TaggedImageDataset
from mmppc.storage.pictures import read_picture

MODEL = dict(
    type='AffinitySegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True
    ),
    backbone=dict(
        type='ResNet38', base_channels=4, depths=(1, 1, 1, 1), out_indices=(0, 1), norm_eval=True
    ),
    decode_head=dict(type='BoundaryHead', in_channels=(16, 32), strides=(4, 8)),
)


@pytest.fixture
def runner(tmp_path):
    draw = np.random.default_rng(0)
    for number, size in enumerate([(20, 30), (40, 16), (33, 33), (70, 50)]):
        (tmp_path / 'images').mkdir(exist_ok=True)
        pixels = draw.integers(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'images/{number}.png')
    dataset = TaggedImageDataset(
        data_root=str(tmp_path),
        data_prefix=dict(img_path='images'),
        metainfo=dict(classes=('background', 'cat')),
    )
    torch.manual_seed(0)
    init_default_scope('mmseg')
    model = MODELS.build(MODEL).train()
    model.decode_head.displacement_mean.fill_(7.0)  # of an earlier training
    return SimpleNamespace(model=model, train_dataloader=DataLoader(dataset), iter=9, max_iters=10)


def expected_mean(runner, crop: int, numbers) -> torch.Tensor:
    model, means = runner.model, []
    for number in numbers:
        picture = read_picture(runner.train_dataloader.dataset.get_data_info(number)['img_path'])
        inputs = (torch.from_numpy(picture).permute(2, 0, 1).float() - 127) / 128
        inputs = inputs[:, :crop, :crop]
        inputs = F.pad(inputs, (0, crop - inputs.shape[2], 0, crop - inputs.shape[1]))
        model.eval()
        model.decode_head.displacement_mean.zero_()
        with torch.no_grad():
            means.append(model._forward(inputs[None])[1].mean((0, 2, 3)))
    return torch.stack(means).mean(0)


@pytest.mark.parametrize(
    ('options', 'numbers'), [({}, (0, 1, 2, 3)), ({'max_pictures': 2}, (0, 2))]
)
def test_mean_over_the_training_pictures(runner, options, numbers):
    hook = HOOKS.build(dict(type='MeanDisplacementHook', crop_size=48, **options))
    hook.is_last_train_iter = lambda _: True
    hook.after_train_iter(runner, 0)
    assert runner.model.training
    found = runner.model.decode_head.displacement_mean.clone()
    torch.testing.assert_close(found, expected_mean(runner, 48, numbers), rtol=1e-5, atol=1e-6)
    assert found.abs().max() > 1e-4


def test_only_after_the_last_iteration(runner):
    hook = HOOKS.build(dict(type='MeanDisplacementHook'))
    hook.is_last_train_iter = lambda _: False
    hook.after_train_iter(runner, 0)
    assert runner.model.decode_head.displacement_mean.tolist() == [7, 7]


def test_what_does_not_fit_is_refused(runner):
    with pytest.raises(ValueError, match='crop_size=0'):
        HOOKS.build(dict(type='MeanDisplacementHook', crop_size=0))
    runner.model.decode_head = torch.nn.Identity()
    hook = HOOKS.build(dict(type='MeanDisplacementHook'))
    hook.is_last_train_iter = lambda _: True
    with pytest.raises(ValueError, match='BoundaryHead'):
        hook.after_train_iter(runner, 0)
