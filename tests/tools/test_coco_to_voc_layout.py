"""A small COCO folder, written here, through the converter, the dataset and two steps of training."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from PIL import Image

from mmppc.datasets import TaggedImageDataset, load_tags
from mmppc.datasets.coco import COCO_CATEGORIES, COCO_CLASSES
from mmppc.storage.masks import load_mask
from mmppc.utils.config_file import read_config
from mmppc.utils.runner import build_runner
from tests.datasets.test_coco import rectangle, run_lengths

pytest.importorskip('pycocotools')

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools/dataset_converters/coco_to_voc_layout.py'
SIZE = (40, 56)  # height, width


def draw_coco(root, pictures=6):
    """Two splits; picture 0 of each has no object, 1 a crowd alone, the others two objects."""
    for split in ('train2014', 'val2014'):
        draw = np.random.default_rng(0)
        images, annotations = [], []
        (root / 'images' / split).mkdir(parents=True)
        for number in range(pictures):
            name = f'COCO_{split}_{number:012d}.jpg'
            image = draw.integers(0, 255, (*SIZE, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / 'images' / split / name)
            images.append(
                {'id': 100 + number, 'file_name': name, 'height': SIZE[0], 'width': SIZE[1]}
            )
            crowd = np.zeros(SIZE, np.uint8)
            crowd[:, 40:] = 1
            objects = [(90, rectangle(4, 4, 20, 30), 0), (10, rectangle(8, 8, 6, 6), 0)]
            if number == 1:
                objects = [(1, run_lengths(crowd), 1)]
            for category, segmentation, iscrowd in objects if number else []:
                annotations.append(
                    {
                        'image_id': 100 + number,
                        'category_id': category,
                        'segmentation': segmentation,
                        'iscrowd': iscrowd,
                    }
                )
        categories = [{'id': key, 'name': name} for key, name in COCO_CATEGORIES.items()]
        (root / 'annotations').mkdir(exist_ok=True)
        (root / f'annotations/instances_{split}.json').write_text(
            json.dumps({'images': images, 'annotations': annotations, 'categories': categories})
        )
    return root


def convert(src, dst, *options):
    command = [sys.executable, str(TOOL), str(src), str(dst), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope='module')
def layout(tmp_path_factory):
    folder = tmp_path_factory.mktemp('coco')
    done = convert(draw_coco(folder / 'coco'), folder / 'out', '--workers', '1')
    assert done.returncode == 0, done.stderr
    assert '6 train2014, 6 val2014; 81 classes, 12 masks written' in done.stdout
    return folder / 'out'


def test_layout(layout):
    assert (layout / 'classes.txt').read_text().split('\n')[:-1] == list(COCO_CLASSES)
    lists = layout / 'ImageSets/Segmentation'
    names = (lists / 'train2014.txt').read_text().split()
    assert names[0] == 'train2014/COCO_train2014_000000000000'
    assert len(names) == 6
    assert (lists / 'train2014_tagged.txt').read_text().split() == names[1:]
    tags = load_tags(layout / 'tags.csv', COCO_CLASSES[1:])
    assert len(tags) == 12
    found = {name: [COCO_CLASSES[k + 1] for k in tags[name].nonzero()[0]] for name in names[:3]}
    assert list(found.values()) == [[], ['person'], ['traffic light', 'toothbrush']]
    masks = [load_mask(layout / f'SegmentationClass/{name}.png', 81) for name in names[:3]]
    assert [np.unique(mask).tolist() for mask in masks] == [[0], [0, 255], [0, 10, 80]]
    assert (masks[1] == 255).sum() == 40 * 16
    assert (masks[2] == 10).sum() == 36
    assert (masks[2] == 80).sum() == 20 * 30 - 36


def test_masks_are_resumed(run_here, layout):
    missing = layout / 'SegmentationClass/val2014/COCO_val2014_000000000003.png'
    before = missing.read_bytes()
    missing.unlink()
    done = run_here(TOOL, layout.parent / 'coco', layout, '--workers', '0')
    assert '81 classes, 1 masks written' in done.stdout
    assert missing.read_bytes() == before


def test_only_tags(run_here, layout, tmp_path):
    options = ('--splits', 'val2014', '--no-masks')
    done = run_here(TOOL, layout.parent / 'coco', tmp_path / 'out', *options)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / 'out/SegmentationClass').exists()
    dataset = TaggedImageDataset(
        data_root=str(tmp_path / 'out'),
        data_prefix=dict(img_path='JPEGImages'),
        ann_file='ImageSets/Segmentation/val2014.txt',
        tag_file='tags.csv',
        classes_file='classes.txt',
    )
    assert len(dataset) == 6
    # A start with other splits keeps the tags of these.
    options = ('--splits', 'train2014', '--no-masks')
    assert run_here(TOOL, layout.parent / 'coco', tmp_path / 'out', *options).returncode == 0
    rows = (layout / 'tags.csv').read_text().splitlines()
    assert sorted((tmp_path / 'out/tags.csv').read_text().splitlines()) == sorted(rows)


def test_a_missing_file_is_named(run_here, tmp_path):
    done = run_here(TOOL, tmp_path, tmp_path / 'out')
    assert done.returncode == 2
    assert 'instances_train2014.json: no such file' in done.stderr


def test_configs_find_their_pictures(layout):
    init_default_scope('mmseg')
    options = {'data_root': str(layout), 'mask_dir': str(layout / 'SegmentationClass')}
    for name, sizes in (
        ('ppc_seam_coco', (5, 6, 5)),
        ('deeplab-largefov_resnet38_coco', (5, 6, 6)),
    ):
        cfg = read_config(str(ROOT / f'configs/{name}.py'), options)
        datasets = [
            DATASETS.build(cfg[f'{k}_dataloader'].dataset) for k in ('train', 'val', 'test')
        ]
        assert tuple(map(len, datasets)) == sizes
        for dataset in datasets:
            assert dataset.metainfo['classes'] == COCO_CLASSES
            sample = dataset[2]
            assert sample['inputs'].shape[0] == 3
            if 'gt_sem_seg' in sample['data_samples']:
                labels = sample['data_samples'].gt_sem_seg.data.unique().tolist()
                assert set(labels) <= {0, 10, 80, 255}


@pytest.mark.slow
def test_two_steps_of_training(layout, tmp_path):
    options = {
        'data_root': str(layout),
        'model.data_preprocessor.size': (48, 48),
        'model.backbone': dict(
            base_channels=4, depths=(1, 1, 1, 1), norm_eval=False, train_bn_affine=True,
            frozen_stages=-1, init_cfg=None,
        ),
        'model.decode_head.in_channels': 256,
        'model.decode_head.refine': dict(in_channels=(32, 64), channels=(8, 8), out_channels=16),
        'model.neck.in_channels': 256,
        'model.view.size': (32, 32),
        'train_dataloader.batch_size': 2,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.dataset.pipeline.1': dict(low=40, high=64),
        'train_dataloader.dataset.pipeline.4.crop_size': 48,
        'train_cfg.max_iters': 2,
        'param_scheduler.0.end': 3,
        'default_hooks.logger.interval': 1,
        'experiment_name': 'coco_two_steps',
    }  # fmt: skip
    cfg = read_config(str(ROOT / 'configs/ppc_seam_coco.py'), options, str(tmp_path))
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    runner = build_runner(cfg)
    before = runner.model.decode_head.conv_seg.weight.detach().clone()
    runner.train()
    assert runner.iter == 2
    after = runner.model.decode_head.conv_seg.weight.detach()
    assert after.shape[0] == 81
    assert after.isfinite().all()
    assert (after != before).any()
