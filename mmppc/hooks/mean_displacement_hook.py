"""The mean displacement of IRN's boundary network, taken at the end of its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dataset import Compose, pseudo_collate
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.utils.data import DataLoader, Dataset

from mmppc.utils.checkpoint import unwrap_model


@HOOKS.register_module()
class MeanDisplacementHook(Hook):
    """Sets ``decode_head.displacement_mean`` of a ``BoundaryHead`` after the last iteration, before the checkpoint.

    It is the mean over all training pictures of the mean displacement in their upper left ``crop_size`` pixels, smaller
    pictures being padded, as published. Only the displacements depend on it, not the semantic masks.

    Args:
        crop_size: Side in pixels.
        max_pictures: Take this many pictures, evenly spread, instead of all; None for all.
        pipeline: Transforms that load a picture.

    Raises:
        ValueError: If an argument is below 1; while training, if the network has no displacement branch.
    """

    priority = 'NORMAL'  # before CheckpointHook

    def __init__(
        self,
        crop_size: int = 512,
        max_pictures: int | None = None,
        pipeline: Sequence[dict] = (dict(type='LoadPicture'), dict(type='PackTaggedInputs')),
    ) -> None:
        if crop_size < 1 or (max_pictures is not None and max_pictures < 1):
            raise ValueError(
                f'MeanDisplacementHook: crop_size={crop_size}, max_pictures={max_pictures}: expected at least 1'
            )
        self.crop_size = crop_size
        self.max_pictures = max_pictures
        self.pipeline = list(pipeline)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Take the mean if this was the last iteration."""
        if not self.is_last_train_iter(runner):
            return
        model: Any = unwrap_model(runner.model)
        head = model.decode_head
        if not hasattr(head, 'displacement_mean'):
            raise ValueError(
                f'MeanDisplacementHook: {type(head).__name__} has no displacements, expected a BoundaryHead'
            )
        loader = self._loader(runner.train_dataloader)
        head.displacement_mean.zero_()
        total = head.displacement_mean.new_zeros(3)
        model.eval()
        with torch.no_grad():
            for batch in loader:
                inputs = model.data_preprocessor(batch, False)['inputs']
                _, displacement = head(model.extract_feat(self._crop(inputs)))
                total[:2] += displacement.float().mean(dim=(0, 2, 3))
                total[2] += 1
        model.train()
        all_reduce(total)
        head.displacement_mean.copy_(total[:2] / total[2])
        dy, dx = head.displacement_mean.tolist()
        print_log(
            f'mean displacement of {int(total[2])} pictures: ({dy:.4f}, {dx:.4f}) cells', 'current'
        )

    def _crop(self, inputs: torch.Tensor) -> torch.Tensor:
        inputs = inputs[..., : self.crop_size, : self.crop_size]
        height, width = inputs.shape[-2:]
        return F.pad(inputs, (0, self.crop_size - width, 0, self.crop_size - height))

    def _loader(self, train: DataLoader) -> DataLoader:
        count = len(train.dataset)  # type: ignore[arg-type]
        step = 1 if self.max_pictures is None else -(-count // self.max_pictures)
        pictures = _Pictures(train.dataset, range(0, count, step), Compose(self.pipeline))
        return DataLoader(
            pictures,
            sampler=range(get_rank(), len(pictures), get_world_size()),
            num_workers=train.num_workers,
            collate_fn=pseudo_collate,
        )


class _Pictures(Dataset):
    """Pictures of a data set through another pipeline."""

    def __init__(self, dataset: Any, indices: Sequence[int], pipeline: Compose) -> None:
        self.dataset, self.indices, self.pipeline = dataset, indices, pipeline

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, number: int) -> Any:
        return self.pipeline(self.dataset.get_data_info(self.indices[number]))
