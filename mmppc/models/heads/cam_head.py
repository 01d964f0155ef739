"""Class activation maps by a 1x1 classifier."""

from collections.abc import Sequence

import torch.nn as nn
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class CAMHead(BaseModule):
    """1x1 classifier whose maps are the class activation maps (Eq. 3), optionally refined.

    Args:
        in_channels: Channels of the feature that is classified.
        num_classes: Number of classes with the background, which is channel 0.
        in_index: Place of that feature among the backbone's outputs.
        dropout_ratio: Share of channels dropped in training, from what the classifier and the projector see alike.
        refine: Config of a module that refines the maps (:class:`PixelCorrelation`).
        init_cfg: Initialisation; Xavier uniform by default.

    Raises:
        ValueError: There is no class beside the background.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        in_index: int = -1,
        dropout_ratio: float = 0.5,
        refine: dict | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        override = dict(name='conv_seg')
        super().__init__(
            init_cfg or dict(type='Xavier', distribution='uniform', gain=1, override=override)
        )
        if num_classes < 2:
            raise ValueError(
                f'num_classes counts the background and at least one class, got {num_classes}'
            )
        self.num_classes = num_classes
        self.in_index = in_index
        self.dropout = nn.Dropout2d(dropout_ratio)
        self.conv_seg = nn.Conv2d(in_channels, num_classes, 1, bias=False)
        self.refine = MODELS.build(refine) if refine else None

    def select(self, taps: Sequence[Tensor]) -> Tensor:
        """The feature (N, in_channels, h, w) that is classified and projected, after dropout."""
        return self.dropout(taps[self.in_index])

    def forward(self, feature: Tensor) -> Tensor:
        """Raw maps (N, num_classes, h, w) of what :meth:`select` returned."""
        return self.conv_seg(feature)
