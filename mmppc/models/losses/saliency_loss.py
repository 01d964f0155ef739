"""EPS's saliency supervision as a term of the CAM stage."""

from collections.abc import Sequence

import torch
import torch.nn as nn
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.coverage import valid_cells
from mmppc.functional.saliency import saliency_loss

from ..outputs import ViewOutput

MAPS = {'logits': ('logits',), 'refined': ('refined',), 'both': ('logits', 'refined')}
NAMES = {'logits': 'loss_saliency', 'refined': 'loss_saliency_refined'}


@MODELS.register_module()
class SaliencyLoss(nn.Module):
    """The maps' foreground and background must explain the saliency map (EPS), mean of the views.

    Needs the pictures' saliency maps (the transform ``LoadSaliency``). Cells of a view that the first view does not
    cover wholly take no part.

    Args:
        threshold: Overlap with the saliency map above which a tagged class counts as foreground (tau); the published
            scripts take 0.4.
        mix: Weight of the foreground against one minus the background in the estimate (lambda).
        maps: What is supervised: the ``logits``, the ``refined`` maps of pixel correlation, which are taken as logits
            too, or ``both``.
        loss_weight: Factor of each term.

    Raises:
        ValueError: ``maps`` is unknown, or ``threshold`` or ``mix`` is outside [0, 1].
    """

    def __init__(
        self,
        threshold: float = 0.4,
        mix: float = 0.5,
        maps: str = 'logits',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if maps not in MAPS:
            raise ValueError(f'maps must be one of {tuple(MAPS)}, got {maps!r}')
        for name, value in (('threshold', threshold), ('mix', mix)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must be in [0, 1], got {value}')
        self.threshold = threshold
        self.mix = mix
        self.maps = maps
        self.loss_weight = loss_weight

    def forward(self, views: Sequence[ViewOutput], tags: Tensor) -> dict[str, Tensor]:
        """``loss_saliency`` and, of refined maps, ``loss_saliency_refined`` under ``tags`` (N, C) multi-hot.

        Raises:
            ValueError: The views carry no saliency maps, or the maps are not refined.
        """
        return {
            NAMES[kind]: self.loss_weight
            * torch.stack([self._term(view, kind, tags) for view in views]).mean()
            for kind in MAPS[self.maps]
        }

    def _term(self, view: ViewOutput, kind: str, tags: Tensor) -> Tensor:
        if view.saliency is None:
            raise ValueError(
                'SaliencyLoss needs saliency maps, got none: put LoadSaliency after LoadPicture in the training '
                "data's pipeline"
            )
        maps = getattr(view, kind)
        if maps is None:
            raise ValueError(
                f"SaliencyLoss with maps={self.maps!r} needs refined maps, got none: set `refine` in the segmentor's "
                '`decode_head`'
            )
        valid = view.valid
        if valid is not None:
            valid = valid_cells(valid, (maps.shape[-2], maps.shape[-1]))
        return saliency_loss(
            maps,
            view.saliency,
            tags,
            threshold=self.threshold,
            mix=self.mix,
            valid=valid,
        )
