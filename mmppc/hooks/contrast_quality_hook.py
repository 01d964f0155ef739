"""What becomes of pseudo labels and prototypes while a network is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import Compose, pseudo_collate
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS

from mmppc.datasets.transforms import LoadIndexMask
from mmppc.functional.contrast_quality import quality_figures, single_figures
from mmppc.hooks.contrast_inspection import Packed, find_contrast, gradient_norms, inspect_contrast
from mmppc.models.segmentors import CAMSegmentor
from mmppc.storage.contrast_quality import NAME, append_evaluation, keep_evaluations
from mmppc.utils.checkpoint import unwrap_model
from mmppc.utils.randomness import seed_generators, seeded
from mmppc.utils.undisturbed import undisturbed


@HOOKS.register_module()
class ContrastQualityHook(Hook):
    """Compares the contrast's pseudo labels and prototypes with the truth, on a few fixed pictures.

    **The truth is for looking only.** The training is the same with and without this hook, to the last bit: the
    network is in test mode meanwhile (no dropout, batch norms at rest), no gradient is kept, and random numbers start
    again where they were. In a distributed training the first process looks, and the others need not wait for it before
    their next gradients.

    Looked at are the very pseudo labels, on the grid where the contrast compares its views, and the prototypes that the
    contrast of a whole batch would use, each view's own. The pictures go through the training's pipeline, at its scales
    and crops, which are drawn once and stay. Figures are those of :func:`~mmppc.functional.contrast_quality.\
quality_figures`, of all views and batches together; ``gradients`` are the L2 norms of what each loss and each of its
    terms sends to the last trainable layer of the backbone, times the factor of a :class:`LossRampHook`, for the first
    pictures, as many as a process trains with at once.

    They go to the runner's visualizer as ``contrast/<figure>``, and with the figures by class and of each view to
    ``<work_dir>/contrast_quality.jsonl``, one line an evaluation. A resumed training continues the file, a new one
    starts it again.

    Args:
        interval: Iterations between two evaluations. There is one before the training, and one at its end.
        num_pictures: Pictures, evenly spread over those with truth. As many as fill whole batches are taken.
        split: ``'val'`` or ``'train'``: whose pictures.
        dataset: Config of another data set with tags and masks instead, without its pipeline.
        pipeline: Transforms that load pictures and masks as the training does; by default the training's own with
            ``LoadIndexMask`` after what loads the picture.
        batch_size: Pictures that share prototypes; by default those of all processes in one step of the training.
        gradients: Whether to take the norms of the gradients. They cost about as much as one step of the training.
        seed: Of scales, crops and random views.

    Raises:
        ValueError: If a number is too small or the split is unknown; before training, if the network is no
            ``CAMSegmentor`` with one ``PixelPrototypeContrastLoss``, the split has no data set, or too few of its
            pictures have truth and tags.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 500,
        num_pictures: int = 64,
        split: str = 'val',
        dataset: dict | None = None,
        pipeline: Sequence[dict] | None = None,
        batch_size: int | None = None,
        gradients: bool = True,
        seed: int = 0,
    ) -> None:
        for name, value in (
            ('interval', interval),
            ('num_pictures', num_pictures),
            ('batch_size', batch_size),
        ):
            if value is not None and value < 1:
                raise ValueError(f'ContrastQualityHook: {name}={value}, expected at least 1')
        if split not in ('train', 'val'):
            raise ValueError(f"ContrastQualityHook: split={split!r}, expected 'train' or 'val'")
        self.interval = interval
        self.num_pictures = num_pictures
        self.split = split
        self.dataset = dataset
        self.pipeline = pipeline
        self.batch_size = batch_size
        self.gradients = gradients
        self.seed = seed
        self.classes: tuple[str, ...] = ()
        self._pictures: list[Mapping[str, Any]] = []
        self._load: Compose | None = None
        self._batch = self._chunk = 1
        self._done_at = -1

    def before_train(self, runner: Runner) -> None:
        """Choose the pictures; at the start of a training, look for the first time."""
        # All processes check, so that an error ends them all; the first one alone looks.
        find_contrast(_network(runner))
        loader = runner.train_dataloader
        self.classes = tuple(loader.dataset.metainfo['classes'])
        self._chunk = int(loader.batch_size or 1)
        self._batch = self.batch_size or self._chunk * get_world_size()
        self._chunk = min(self._chunk, self._batch)
        self._load = self._loading(runner)
        self._pictures = self._chosen(runner)
        if is_main_process():
            keep_evaluations(Path(runner.work_dir) / NAME, runner.iter)
        self._done_at = runner.iter
        if runner.iter == 0:
            self._evaluate(runner, 0)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Look, if it is time."""
        if self.every_n_train_iters(runner, self.interval):
            self._evaluate(runner, runner.iter + 1)

    def after_train(self, runner: Runner) -> None:
        """Look at what the training ended with."""
        if runner.iter > self._done_at:
            self._evaluate(runner, runner.iter)

    def _loading(self, runner: Runner) -> Compose:
        if self.pipeline is not None:
            return Compose(list(self.pipeline))
        given = getattr(runner.train_dataloader.dataset, 'pipeline', None)
        transforms = list(getattr(given, 'transforms', ()))
        if not transforms:
            raise ValueError(
                'ContrastQualityHook: the training data set has no pipeline of its own; give `pipeline`'
            )
        if not any(isinstance(step, LoadIndexMask) for step in transforms):
            transforms.insert(1, LoadIndexMask())
        return Compose(transforms)

    def _chosen(self, runner: Runner) -> list[Mapping[str, Any]]:
        """What the data set knows of the pictures, in whole batches."""
        if self.dataset is not None:
            dataset = DATASETS.build({'pipeline': [], **self.dataset})
            where = 'dataset'
        else:
            loop = runner.train_loop if self.split == 'train' else runner.val_loop
            where = f'split={self.split!r}'
            if loop is None:
                raise ValueError(
                    f"ContrastQualityHook: {where} has no data set in this training, expected 'train'"
                )
            dataset = loop.dataloader.dataset
        found = [dataset.get_data_info(index) for index in range(len(dataset))]
        fit = [info for info in found if info.get('seg_map_path') and info.get('tags') is not None]
        number = min(self.num_pictures, len(fit)) // self._batch * self._batch
        if number == 0:
            raise ValueError(
                f'ContrastQualityHook: {where}: {len(fit)} of {len(found)} pictures have a mask and tags, and '
                f'num_pictures={self.num_pictures}: expected at least batch_size={self._batch} of each'
            )
        places = np.linspace(0, len(fit) - 1, number).round().astype(int)
        return [fit[place] for place in places]

    def _evaluate(self, runner: Runner, step: int) -> None:
        self._done_at = step
        if not is_main_process():
            return
        network = _network(runner)
        norms: dict[str, float | None] = {}
        with undisturbed(network):
            counts, grid = inspect_contrast(network, self._batches(network))
            if self.gradients:
                inputs, samples = self._pack(network, 0, self._chunk)
                with runner.optim_wrapper.optim_context(runner.model):
                    found = gradient_norms(network, inputs, samples)
                # A network that has diverged is no reason for a training to end.
                norms = {name: v if math.isfinite(v) else None for name, v in found.items()}
        figures = quality_figures(reduce(add, counts))
        line = {
            'iteration': step,
            'split': self.split if self.dataset is None else 'own',
            'pictures': len(self._pictures),
            'batch_size': self._batch,
            'grid': list(grid),
            'classes': list(self.classes),
            **figures,
            'gradients': norms,
            'views': [single_figures(quality_figures(view)) for view in counts],
        }
        append_evaluation(Path(runner.work_dir) / NAME, line)
        scalars = single_figures(figures)
        # What has "loss" in its name is drawn as one.
        scalars.update({f'gradient_{n.removeprefix("loss_")}': v for n, v in norms.items()})
        runner.visualizer.add_scalars(
            {f'contrast/{name}': value for name, value in scalars.items() if value is not None},
            step=step,
        )

    def _batches(self, network: CAMSegmentor) -> Iterator[list[Packed]]:
        """The pictures of each batch, in parts that a process can train with."""
        for first in range(0, len(self._pictures), self._batch):
            end = first + self._batch
            yield [
                self._pack(network, begin, min(begin + self._chunk, end))
                for begin in range(first, end, self._chunk)
            ]

    def _pack(self, network: CAMSegmentor, begin: int, end: int) -> Packed:
        """Some of the pictures as the training gets them."""
        assert self._load is not None
        items = []
        for number in range(begin, end):
            with seeded(self.seed, number):
                item = self._load(deepcopy(self._pictures[number]))
            if item is None or 'gt_sem_seg' not in item['data_samples']:
                path = self._pictures[number].get('img_path')
                raise ValueError(f'{path}: ContrastQualityHook: the pipeline gave no mask')
            items.append(item)
        data = network.data_preprocessor(pseudo_collate(items), True)
        # What random views draw does not depend on what came before.
        seed_generators(self.seed, begin, end)
        return data['inputs'], data['data_samples']


def _network(runner: Runner) -> CAMSegmentor:
    network = unwrap_model(runner.model)
    if not isinstance(network, CAMSegmentor):
        raise ValueError(
            f'ContrastQualityHook: the model is a {type(network).__name__}, expected a CAMSegmentor'
        )
    return network
