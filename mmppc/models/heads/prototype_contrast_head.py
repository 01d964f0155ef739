"""Pixel-to-prototype contrast under dense labels, as an auxiliary head."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.contrast import pixel_prototype_contrast
from mmppc.functional.contrast_options import ContrastOptions

from ..necks.pixel_projector import PixelProjector

_IGNORED = 255
# Far below what a weighted mean shows, far above the precision of float32.
_TIE_BREAK = 1e-3


@MODELS.register_module()
class PrototypeContrastHead(BaseModule):
    """The paper's intra-view contrast (Eq. 9) for fully supervised networks.

    An ``auxiliary_head`` of any mmseg ``EncoderDecoder``: it projects one of the backbone's features, takes the ground
    truth at the feature's grid (nearest neighbour), averages the pixels of each class to a prototype and pulls every
    pixel to that of its class. Labels are sure, so all pixels of a class are equally fit to make its prototype: of
    more than ``topk``, a random choice does. It trains only; a test does not run it.

    Args:
        in_channels: Channels of the feature.
        channels: D, the embeddings' dimension.
        num_classes: Classes in the labels, the background included; at most 255.
        in_index: Place of the feature among the backbone's outputs.
        topk: Pixels that make a prototype.
        ignore_index: Label of pixels that take no part, as do all labels from ``num_classes`` on.
        preset: ``paper`` or ``published``, see :class:`mmppc.functional.contrast_options.ContrastOptions`.
        init_cfg: Initialisation of the projection; None is Xavier's, uniform.
        **options: Further fields of ``ContrastOptions`` which concern the intra term: ``temperature``, ``intra_weight``
            (0.1), ``prototype_mining``, ``pixel_sampling``, ``skip_hardest``, ``intra_reduction``, ...

    Raises:
        ValueError: ``num_classes`` is not in 1 .. 255, or an option's value is unknown.
        TypeError: There is no such option.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 128,
        *,
        num_classes: int,
        in_index: int = -1,
        topk: int = 256,
        ignore_index: int = _IGNORED,
        preset: str = 'paper',
        init_cfg: dict | list | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if not 1 <= num_classes <= _IGNORED:
            raise ValueError(f'num_classes must be in 1 .. {_IGNORED}, got {num_classes}')
        self.num_classes = num_classes
        self.in_index = in_index
        self.ignore_index = ignore_index
        # The choice is random below: none of equal confidence is left to be spread, which would sort all pixels.
        options = {'ties': 'first', **options}
        self.options = ContrastOptions.from_preset(preset, topk=topk, **options)
        self.projector = PixelProjector(in_channels, channels, init_cfg)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Embeddings (N, channels, h, w) of the backbone's features, the chosen one (N, in_channels, h, w)."""
        return self.projector(inputs[self.in_index])

    def loss(
        self, inputs: Sequence[Tensor], batch_data_samples: list, train_cfg: Any = None
    ) -> dict[str, Tensor]:
        """``loss_intra`` of a batch, finite also where no pixel is labelled.

        Args:
            inputs: The backbone's features.
            batch_data_samples: N samples with ``gt_sem_seg`` (1, H, W) of one size.
            train_cfg: Not used; mmseg hands it to every head.

        Raises:
            ValueError: A sample has no ``gt_sem_seg``.
        """
        embeddings = self(inputs)
        labels = self._labels(batch_data_samples, embeddings)
        with torch.no_grad():
            confidences = F.one_hot(labels.clamp(max=self.num_classes), self.num_classes + 1)
            confidences = confidences[..., :-1].permute(0, 3, 1, 2).to(torch.float32)
            # Equal confidences would give the same pixels of the grid in every batch.
            confidences *= 1 - _TIE_BREAK * torch.rand_like(confidences)
        return pixel_prototype_contrast(
            [embeddings], [confidences], None, preset=self.options, labels=[labels]
        )

    def _labels(self, samples: list, embeddings: Tensor) -> Tensor:
        """Labels on the embeddings' grid, (N, h, w) int64, 255 where ignored."""
        for sample in samples:
            if 'gt_sem_seg' not in sample:
                raise ValueError(
                    f'{sample.get("img_path")}: the contrast of this head needs gt_sem_seg, found none; '
                    'load masks in the training pipeline'
                )
        labels = torch.stack([sample.gt_sem_seg.data for sample in samples]).to(embeddings.device)
        grid = F.interpolate(labels.float(), size=embeddings.shape[-2:], mode='nearest')
        grid = grid[:, 0].long()
        return grid.masked_fill(grid == self.ignore_index, _IGNORED)
