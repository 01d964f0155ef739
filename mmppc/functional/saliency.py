"""EPS: saliency maps as supervision of the maps' foreground and background (reference sheet, section 5)."""

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def saliency_iou(probabilities: Tensor, saliency: Tensor, valid: Tensor | None = None) -> Tensor:
    """Overlap of each class's map with the saliency, both rounded to 0 or 1.

    It is a share of the class's own pixels, as in EPS's code: intersection over the class's area, which is enlarged by
    1e-4 a pixel, so that a class without pixels gets 0.

    Args:
        probabilities: Class probabilities, (N, C, h, w) in [0, 1].
        saliency: Saliency, (N, 1, h, w) in [0, 1].
        valid: Pixels that count, (N, 1, h, w) bool; None for all.

    Returns:
        (N, C) in [0, 1].
    """
    area, salient = probabilities.round(), saliency.round()
    counts = torch.ones_like(salient) if valid is None else valid.to(area)
    overlap = (area * salient * counts).sum(dim=(-2, -1))
    return overlap / ((area + 1e-4) * counts).sum(dim=(-2, -1)).clamp(min=1e-4)


def saliency_loss(
    logits: Tensor,
    saliency: Tensor,
    tags: Tensor,
    *,
    threshold: float = 0.4,
    mix: float = 0.5,
    valid: Tensor | None = None,
) -> Tensor:
    """Squared distance of the saliency map to what the maps say of foreground and background (EPS).

    The foreground is the sum of the tagged classes that overlap the saliency map; tagged classes which do not (a sheep
    in the grass that the detector passed over) count as background, and so does channel 0. Channels of absent classes
    belong to neither. The estimate mixes the foreground with one minus the background.

    Args:
        logits: Raw maps, (N, 1+C, h, w), background first. Computed in float32 at least.
        saliency: Saliency maps, (N, 1, H, W) in [0, 1], brought to (h, w) by the nearest pixel.
        tags: Classes in each picture, (N, C) multi-hot.
        threshold: Overlap above which a tagged class is foreground, see :func:`saliency_iou` (tau).
        mix: Weight of the foreground in the estimate, the background's is the rest (lambda).
        valid: Cells of the maps that count, (N, 1, h, w) bool; None for all. A picture without any adds 0.

    Returns:
        Scalar, the mean over the cells of each picture, then over pictures.

    Raises:
        ValueError: The tags or the saliency maps do not fit the logits.
    """
    number, channels = logits.shape[:2]
    if tags.shape != (number, channels - 1) or saliency.shape[:2] != (number, 1):
        raise ValueError(
            f'logits {tuple(logits.shape)}, tags {tuple(tags.shape)}, saliency {tuple(saliency.shape)}: expected '
            '(N, 1+C, h, w), (N, C) and (N, 1, H, W)'
        )
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    target = F.interpolate(saliency.to(logits), size=logits.shape[-2:], mode='nearest')
    probabilities = logits.softmax(dim=1)
    classes = probabilities[:, 1:]
    tagged = tags.to(logits)
    salient = (saliency_iou(classes, target, valid) > threshold).to(logits)
    # Sums of products, not einsum: autocast would take that to half precision.
    foreground = (classes * (tagged * salient)[:, :, None, None]).sum(dim=1, keepdim=True)
    missed = (classes * (tagged * (1 - salient))[:, :, None, None]).sum(dim=1, keepdim=True)
    estimate = mix * foreground + (1 - mix) * (1 - probabilities[:, :1] - missed)
    error = (estimate - target).square()
    if valid is None:
        return error.mean()
    return ((error * valid).sum(dim=(1, 2, 3)) / valid.sum(dim=(1, 2, 3)).clamp(min=1)).mean()
