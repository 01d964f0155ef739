"""The paper's contrast as a term of the CAM stage."""

from collections.abc import Sequence
from typing import Any

import torch.nn as nn
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.contrast import pixel_prototype_contrast
from mmppc.functional.contrast_options import ContrastOptions
from mmppc.functional.coverage import valid_cells

from ..outputs import ViewOutput


@MODELS.register_module()
class PixelPrototypeContrastLoss(nn.Module):
    """Weakly supervised pixel-to-prototype contrast across and within the views (Eq. 1, 4-9).

    Both views are brought to the grid of the second view; cells of it that the first view does not cover wholly take no
    part. With a single view only the intra term is left.

    Args:
        preset: ``paper`` follows the paper, and where it is silent avoids what went wrong in its code; ``published``
            follows that code.
        cam_source: Maps that label the pixels: ``refined`` (of hosts with pixel correlation), ``logits``, ``softmax``
            (of the logits over all channels, as EPS reads its maps), or ``auto`` for the refined ones where there are,
            else ``logits``.
        **options: Any field of :class:`mmppc.functional.contrast_options.ContrastOptions`: ``topk``, ``temperature``,
            ``bg_threshold``, ``cross_weight``, ``intra_weight``, the terms' switches
            ``cross_prototype``, ``cross_cam``, ``intra``, ``prototype_mining`` and ``pixel_sampling``, and the rest.

    Raises:
        ValueError: ``preset``, ``cam_source`` or an option's value is unknown.
        TypeError: There is no such option.
    """

    def __init__(self, preset: str = 'paper', cam_source: str = 'auto', **options: Any) -> None:
        super().__init__()
        if cam_source not in ('auto', 'refined', 'logits', 'softmax'):
            raise ValueError(
                f"cam_source must be 'auto', 'refined', 'logits' or 'softmax', got {cam_source!r}"
            )
        self.cam_source = cam_source
        self.options = ContrastOptions.from_preset(preset, **options)

    def _maps(self, view: ViewOutput) -> Tensor:
        if self.cam_source == 'softmax':
            return view.logits.softmax(dim=1)
        if self.cam_source == 'logits' or (self.cam_source == 'auto' and view.refined is None):
            return view.logits
        if view.refined is None:
            raise ValueError(
                "cam_source='refined' needs refined maps, got none: set `refine` in the segmentor's `decode_head`"
            )
        return view.refined

    def on_common_grid(
        self, views: Sequence[ViewOutput]
    ) -> tuple[list[Tensor], list[Tensor], Tensor | None]:
        """What the contrast compares: each view's features and maps on the grid of the last view.

        Returns:
            Features (N, D, h, w) and maps (N, 1+C, h, w) of each view, and the cells (N, h, w) bool that all views
            cover wholly, None for all.

        Raises:
            ValueError: The views carry no embeddings.
        """
        features, cams = [], []
        warp = views[-1].warp
        for view in views:
            if view.embeddings is None:
                raise ValueError(
                    "the contrast needs embeddings, got none: set the segmentor's `neck` to a PixelProjector"
                )
            feature, cam = view.embeddings, self._maps(view).detach()
            if view is not views[-1] and warp is not None:
                size = views[-1].logits.shape[-2:]
                feature, cam = warp(feature, size), warp(cam, size)
            features.append(feature)
            cams.append(cam)
        valid = views[-1].valid
        if valid is not None:
            valid = valid_cells(valid, (cams[-1].shape[-2], cams[-1].shape[-1])).squeeze(1)
        return features, cams, valid

    def forward(self, views: Sequence[ViewOutput], tags: Tensor) -> dict[str, Tensor]:
        """``loss_cross_prototype``, ``loss_cross_cam`` and ``loss_intra`` of views with ``tags`` (N, C) multi-hot.

        Raises:
            ValueError: The views carry no embeddings.
        """
        features, cams, valid = self.on_common_grid(views)
        return pixel_prototype_contrast(features, cams, tags, preset=self.options, valid=valid)
