"""Class activation maps of a few pictures, drawn while the network is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import LabelData
from mmseg.registry import HOOKS

from mmppc.datasets.names import sample_id
from mmppc.datasets.tags import load_tags
from mmppc.models.segmentors import CAMSegmentor
from mmppc.storage.pictures import read_picture
from mmppc.utils.checkpoint import unwrap_model
from mmppc.utils.network_config import picture_pipeline, prepare_picture, samples_of
from mmppc.utils.undisturbed import undisturbed
from mmppc.visualization.sheet import (
    Legend,
    Panel,
    draw_sheet,
    heat_panel,
    shrink_heat,
    shrink_picture,
)


@dataclass(frozen=True)
class _Shown:
    """A picture that is drawn: (H, W, 3) uint8 RGB, and what goes into the network."""

    name: str
    picture: np.ndarray
    data: dict[str, Any]


@HOOKS.register_module()
class CAMOverlayHook(Hook):
    """Draws the maps of a few fixed pictures every ``interval`` iterations and at the end of the training.

    The runner's visualizer takes them, so whatever ``vis_backends`` it has shows them: files, TensorBoard, W&B. The
    pictures go through the pipeline of the test, without test-time augmentation. The training is the same with and
    without this hook, to the last bit: the network is in test mode meanwhile, and the random numbers start again where
    they were. In a distributed training the first process draws, and the others need not wait for it.

    Args:
        interval: Iterations between two drawings.
        num_pictures: Pictures to draw, evenly spread over the data set.
        split: ``'train'`` or ``'val'``: which data set.
        pictures: Files to draw instead.
        tag_file: Tags of these files, anything :func:`~mmppc.datasets.tags.load_tags` reads. Without it, as for
            pictures of a data set without tags, the network predicts them.
        side: Longer side of a picture in the drawing, in pixels.

    Raises:
        FileNotFoundError: Before training, if a picture or the tag file is missing.
        ValueError: If a number is too small, the split is unknown; before training, if the network is no
            ``CAMSegmentor``, the split has no data set, or a picture cannot be read or has no tags.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 500,
        num_pictures: int = 4,
        split: str = 'train',
        pictures: Sequence[str] | None = None,
        tag_file: str | None = None,
        side: int = 320,
    ) -> None:
        for name, value in (('interval', interval), ('num_pictures', num_pictures)):
            if value < 1:
                raise ValueError(f'CAMOverlayHook: {name}={value}, expected at least 1')
        if split not in ('train', 'val'):
            raise ValueError(f"CAMOverlayHook: split={split!r}, expected 'train' or 'val'")
        if tag_file is not None and pictures is None:
            raise ValueError(
                'CAMOverlayHook: tag_file is for pictures, a data set has its own tags'
            )
        self.interval = interval
        self.num_pictures = num_pictures
        self.split = split
        self.pictures = pictures
        self.tag_file = tag_file
        self.side = side
        self.classes: tuple[str, ...] = ()
        self._shown: list[_Shown] = []
        self._drawn_at = 0

    def before_train(self, runner: Runner) -> None:
        """Choose and load the pictures."""
        # All processes check, so that an error ends them all; the first one alone draws.
        network = unwrap_model(runner.model)
        if not isinstance(network, CAMSegmentor):
            raise ValueError(
                f'CAMOverlayHook: the model is a {type(network).__name__}, expected a CAMSegmentor'
            )
        self.classes = tuple(runner.train_dataloader.dataset.metainfo['classes'])
        chosen = self._chosen(runner)
        pipeline = picture_pipeline(runner.cfg)
        if is_main_process():
            with undisturbed(network):
                self._shown = [_load(info, pipeline) for info in chosen]
        self._drawn_at = runner.iter

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Draw, if it is time."""
        if self.every_n_train_iters(runner, self.interval):
            self._draw(runner, runner.iter + 1)

    def after_train(self, runner: Runner) -> None:
        """Draw what the training ended with."""
        if runner.iter > self._drawn_at:
            self._draw(runner, runner.iter)

    def _chosen(self, runner: Runner) -> list[Mapping[str, Any]]:
        """``img_path``, ``sample_id`` and perhaps ``tags`` of the pictures."""
        if self.pictures is not None:
            return self._given()
        loop = runner.train_loop if self.split == 'train' else runner.val_loop
        if loop is None:
            raise ValueError(
                f"CAMOverlayHook: split={self.split!r} has no data set in this training, expected 'train'"
            )
        dataset = loop.dataloader.dataset
        number = min(self.num_pictures, len(dataset))
        places = np.linspace(0, len(dataset) - 1, number).round().astype(int)
        chosen = [dataset.get_data_info(int(place)) for place in places]
        for info in chosen:
            if not info.get('img_path'):
                raise ValueError(
                    f'CAMOverlayHook: the data set of {self.split!r} gives no img_path, expected files'
                )
        return chosen

    def _given(self) -> list[Mapping[str, Any]]:
        chosen: list[Mapping[str, Any]] = []
        tags = {} if self.tag_file is None else load_tags(self.tag_file, self.classes[1:])
        for path in self.pictures or ():
            if not Path(path).is_file():
                raise FileNotFoundError(f'{path}: no such picture, for CAMOverlayHook')
            name = sample_id(Path(path).name)
            if self.tag_file is not None and name not in tags:
                raise ValueError(
                    f'{self.tag_file}: no tags for picture {name!r}, for CAMOverlayHook'
                )
            chosen.append(dict(img_path=path, sample_id=name, tags=tags.get(name)))
        return chosen

    def _draw(self, runner: Runner, step: int) -> None:
        self._drawn_at = step
        if not is_main_process():
            return
        network = unwrap_model(runner.model)
        assert isinstance(network, CAMSegmentor)
        with undisturbed(network), torch.no_grad():
            for shown in self._shown:
                sheet = self._sheet(network, shown, step)
                # Backends make files of the names.
                name = shown.name.replace('/', '_').replace('\\', '_')
                runner.visualizer.add_image(f'cam_{name}', sheet, step)

    def _sheet(self, network: CAMSegmentor, shown: _Shown, step: int) -> np.ndarray:
        # The network writes its predictions into the samples.
        sample = network.test_step(pseudo_collate([deepcopy(shown.data)]))[0]
        scores = sample.seg_logits.data
        probabilities = sample.pred_tags.score
        given = 'gt_tags' in sample
        present = sample.gt_tags.label > 0.5 if given else scores[1:].amax(dim=(1, 2)) > 0
        threshold = float(network.test_cfg['threshold'])
        picture = shrink_picture(shown.picture, self.side)
        panels = [Panel('picture', picture)]
        for channel in present.nonzero()[:, 0].tolist():
            title = f'{self.classes[channel + 1]} {probabilities[channel]:.2f}'
            # A network that has diverged is shown, not the reason for a training to end.
            heat = scores[channel + 1].float().nan_to_num().cpu().numpy()
            panels.append(heat_panel(title, picture, shrink_heat(heat, self.side), threshold))
        note = f'{shown.name}, iteration {step}, tags {"given" if given else "predicted"}'
        legend = Legend(heat=len(panels) > 1, threshold=threshold, notes=[note])
        return draw_sheet(panels, legend, side=self.side)


def _load(info: Mapping[str, Any], pipeline: Any) -> _Shown:
    path = str(info['img_path'])
    name = str(info.get('sample_id') or Path(path).stem)
    picture = read_picture(path)
    bgr = np.ascontiguousarray(picture[..., ::-1])
    data = prepare_picture(pipeline, bgr, sample_id=name, img_path=path)
    if info.get('tags') is not None:
        for sample in samples_of(data):
            sample.gt_tags = LabelData(label=torch.tensor(info['tags'], dtype=torch.float32))
    return _Shown(name, picture, data)
