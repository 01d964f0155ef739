"""A small work folder of a pipeline, made by the real metrics and jobs from drawn pictures and made-up scores."""

import json
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import LabelData, PixelData
from mmseg.structures import SegDataSample
from scipy.ndimage import gaussian_filter

from mmppc.datasets import draw_toy_set
from mmppc.datasets.names import read_classes, read_lines
from mmppc.datasets.voc import voc_palette
from mmppc.evaluation import MaskMetric, SeedMetric, TagMetric
from mmppc.pipeline.manifest import write_manifest
from mmppc.refinement.masks import make_pseudo_masks
from mmppc.refinement.records import PictureRecord
from mmppc.storage import load_mask, load_seed, save_seed

STAGES = ('cam', 'train_seeds', 'val_seeds', 'masks', 'segmentation', 'final')
SPLITS = {'train': 9, 'val': 7}
CONDITIONS = {'checkpoint': 'iter_30.pth', 'tta': True, 'scales': [0.5, 1.0], 'flip': True}
SOURCE = 'best of train_seeds on train'


def make_pipeline(root: Path, classes: tuple[str, ...] | None = None) -> Path:
    """The work folder ``root/run`` of a finished pipeline on the pictures of ``root/data``.

    Args:
        root: Where to make both.
        classes: Names instead of the toy set's.
    """
    data = draw_toy_set(root / 'data', SPLITS['train'], SPLITS['val'], size=64)
    run = root / 'run'
    names = classes or read_classes(data / 'classes.txt')
    palette = voc_palette(len(names))
    lists = {split: data / f'ImageSets/Segmentation/{split}.txt' for split in SPLITS}
    record = {
        'name': 'toy run',
        'config': 'configs/pipelines/toy.py',
        'stages': list(STAGES),
        'seed': 7,
        'data': {
            'root': str(data),
            'pictures': str(data / 'JPEGImages'),
            'masks': str(data / 'SegmentationClass'),
            'tags': str(data / 'tags.csv'),
            'lists': {split: str(path) for split, path in lists.items()},
            'classes': list(names),
            'palette': palette,
        },
    }
    run.mkdir()
    (run / 'pipeline.json').write_text(json.dumps(record))

    _manifest(run, 'cam', 'CAM network', 'train', 'train', attempts=2)
    write_log(run / 'cam', '20260101_120000', range(10, 61, 10), first=2.0)
    write_log(run / 'cam', '20260101_123000', range(50, 121, 10), first=1.0)
    best = 0.0
    for split in SPLITS:
        folder = run / f'{split}_seeds'
        threshold = None if split == 'train' else best
        _seeds(folder, data, split, names, threshold)
        report = json.loads((folder / f'seed_metric_{split}.json').read_text())
        best = report['best_threshold'] if split == 'train' else best
        _manifest(run, folder.name, f'seeds of {split}', 'test', split, threshold=threshold)
    make_pseudo_masks(
        [_record(data, name) for name in read_lines(lists['train'])],
        seed_dir=run / 'train_seeds/seeds',
        out_dir=run / 'masks/masks',
        threshold=best,
        classes=names,
        palette=palette,
        method='none',
        threshold_source=SOURCE,
        workers=0,
    )
    _manifest(run, 'masks', 'pseudo masks', 'masks', 'train', threshold=best)
    _manifest(run, 'segmentation', 'DeepLab', 'train', 'train')
    write_log(run / 'segmentation', '20260101_130000', range(10, 41, 10), first=1.5, terms=False)
    _predictions(run, data, names, best)
    _manifest(run, 'final', 'test of DeepLab', 'test', 'val')
    return run


def write_log(folder: Path, time: str, steps, *, first: float, terms: bool = True) -> None:
    """A log of MMEngine whose loss falls from ``first``."""
    lines = []
    for position, step in enumerate(steps):
        loss = first / (1 + position)
        row = {'base_lr': 0.01, 'lr': 0.01 - 1e-5 * step, 'data_time': 0.1, 'loss': loss}
        if terms:
            row.update(loss_tags=0.75 * loss, loss_er=0.25 * loss)
        lines.append(json.dumps({**row, 'time': 0.2, 'iter': step, 'step': step}))
    path = folder / time / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(lines) + '\n')


def truth_of(data: Path, name: str) -> np.ndarray:
    return load_mask(data / f'SegmentationClass/{name}.png')


def _record(data: Path, name: str) -> PictureRecord:
    picture = data / f'JPEGImages/{name}.jpg'
    return PictureRecord(name, str(picture), str(data / f'SegmentationClass/{name}.png'))


def _seeds(
    folder: Path, data: Path, split: str, names: tuple[str, ...], threshold: float | None
) -> None:
    """Seed files whose scores are blurred truth with noise, and their reports."""
    options = dict(split=split, out_dir=str(folder), conditions=CONDITIONS)
    metrics = [SeedMetric(threshold=threshold, **options), TagMetric(**options)]
    evaluator = Evaluator(metrics)
    evaluator.dataset_meta = {'classes': names}
    listed = read_lines(data / f'ImageSets/Segmentation/{split}.txt')
    for number, name in enumerate(listed):
        truth = truth_of(data, name)
        draw = np.random.default_rng(number)
        present = [k for k in range(1, len(names)) if (truth == k).any()]
        scores = np.zeros((len(names) - 1, *truth.shape), np.float32)
        for k in present:
            blurred = gaussian_filter((truth == k).astype(np.float32), 2 + number)
            noise = gaussian_filter(draw.random(truth.shape), 3)
            strength = 0.6 if split == 'train' else 0.4  # so that the best thresholds differ
            scores[k - 1] = strength * blurred / blurred.max() + 0.2 * noise
        kept = np.array(present, np.int64)
        save_seed(folder / f'seeds/{name}.npz', scores[kept - 1], kept, num_classes=len(names))
        sample = SegDataSample(metainfo={'sample_id': name})
        background = np.full((1, *truth.shape), 0.3, np.float32)
        sample.seg_logits = PixelData(data=torch.from_numpy(np.concatenate([background, scores])))
        sample.gt_sem_seg = PixelData(data=torch.from_numpy(truth.astype(np.int64))[None])
        tags = torch.from_numpy((scores.max(axis=(1, 2)) > 0).astype(np.float32))
        sample.gt_tags = LabelData(label=tags)
        sample.pred_tags = LabelData(score=(tags + 0.2) / 1.5)
        evaluator.process([sample])
    evaluator.evaluate(len(listed))


def _predictions(run: Path, data: Path, names: tuple[str, ...], threshold: float) -> None:
    metric = MaskMetric(
        split='val',
        out_dir=str(run / 'final'),
        output_dir=str(run / 'final/predictions'),
        conditions=CONDITIONS,
    )
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = {'classes': names}
    listed = read_lines(data / 'ImageSets/Segmentation/val.txt')
    for name in listed:
        scores = load_seed(run / f'val_seeds/seeds/{name}.npz').dense()
        scores[0] = threshold - 0.15
        truth = truth_of(data, name)
        sample = SegDataSample(metainfo={'sample_id': name, 'img_path': name})
        sample.pred_sem_seg = PixelData(data=torch.from_numpy(scores.argmax(axis=0))[None])
        sample.gt_sem_seg = PixelData(data=torch.from_numpy(truth.astype(np.int64))[None])
        evaluator.process([sample])
    evaluator.evaluate(len(listed))


def _manifest(
    run: Path,
    stage: str,
    title: str,
    do: str,
    split: str,
    *,
    threshold: float | None = None,
    attempts: int = 1,
) -> None:
    content = {
        'stage': stage,
        'title': title,
        'do': do,
        'state': 'finished',
        'id': '0123456789ab',
        'settings': {'config': {}, 'do': do, 'split': split},
        'data': {f'list of {split}': 'abc'},
        'upstream': {},
        'split': split,
        'command': ['python', f'tools/{do}.py', 'config with space.py'],
        'seed': 7,
        'gpus': 1,
        'versions': {'python': '3.11.7', 'torch': '2.9.0'},
        'started': '2026-01-01T12:00:00+01:00',
        'seconds': 75.0,
        'attempts': attempts,
        'outputs': {},
        'threshold': None if threshold is None else {'value': threshold, 'source': SOURCE},
        'figures': [],
    }
    write_manifest(run / stage, content)
