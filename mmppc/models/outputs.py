"""What a network returns for one view of a batch."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Warp = Callable[..., Tensor]


@dataclass
class ViewOutput:
    """Maps and features of one view.

    Attributes:
        logits: Raw class activation maps, (N, 1+C, h, w), background first.
        size: Height and width of the input they come from.
        refined: The maps after pixel correlation, (N, 1+C, h, w), or None.
        embeddings: Projected features, (N, D, h, w), un-normalised, or None.
        warp: ``warp(maps, size=None)`` brings maps of the first view into this view's frame, at ``size`` or at the
            maps' own resolution scaled like the input; None on the first view.
        saliency: Saliency maps of the pictures in this view's frame, (N, 1, H, W) in [0, 1], or None.
        valid: Where the warped first view covers this view's frame, (N, 1, H, W) bool; None for everywhere. What lies
            outside enters no loss itself; pixel correlation averages over it all the same, as over padding.
    """

    logits: Tensor
    size: tuple[int, int]
    refined: Tensor | None = None
    embeddings: Tensor | None = None
    warp: Warp | None = None
    saliency: Tensor | None = None
    valid: Tensor | None = None
