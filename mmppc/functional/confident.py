"""Labels that a cautious and a bold refinement agree on (PSA, Ahn and Kwak, 2018; IRN, Ahn et al., 2019).

A pixel is foreground where it is so even beside a strong background, background where it is so even beside a weak
one, and unsure elsewhere. A picture without a tag is all background, label 0, by both rules.
"""

import numpy as np
import torch
from torch import Tensor

_NO_SCORE = 1e-5


def merge_confident(low: Tensor, high: Tensor, classes: Tensor, *, ignore: int = 255) -> Tensor:
    """PSA's rule, on probabilities after the two CRFs, pooled to the affinity grid.

    Args:
        low: (1+K, h, w), background first, from the background score of the low exponent: much background, so that
            foreground here is foreground.
        high: (1+K, h, w), of the high exponent: little background, so that background here is background.
        classes: (1+K,) channel numbers of the rows, the background's 0 first.
        ignore: Label of cells that are unsure, or without any score as the padding of a crop.

    Returns:
        (h, w) long. Where all of ``low`` and ``high`` are below 1e-5: ``ignore``; else where the background is the
        largest of ``high``: 0; else where it is the largest of ``low``: ``ignore``; else the class of the largest
        of ``low``. Ties go to the lower row.

    Raises:
        ValueError: The shapes do not fit or the first class is not 0.

    Examples:
        >>> low = torch.tensor([[0.9, 0.2, 0.8], [0.1, 0.8, 0.2]])
        >>> high = torch.tensor([[0.8, 0.1, 0.3], [0.2, 0.9, 0.7]])
        >>> merge_confident(low[:, None], high[:, None], torch.tensor([0, 7]))
        tensor([[  0,   7, 255]])
    """
    if low.ndim != 3 or low.shape != high.shape or len(classes) != len(low) or not len(low):
        raise ValueError(
            f'low {tuple(low.shape)}, high {tuple(high.shape)}, classes {tuple(classes.shape)}, expected '
            '(1+K, h, w) twice and (1+K,)'
        )
    numbers = classes.to(low.device, torch.long)
    if int(classes[0]) != 0:
        raise ValueError(f'classes {classes.tolist()}, expected the background, 0, first')
    cautious, bold = low.argmax(dim=0), high.argmax(dim=0)
    labels = numbers[cautious].masked_fill(cautious == 0, ignore).masked_fill(bold == 0, 0)
    no_score = torch.maximum(low.amax(dim=0), high.amax(dim=0)) < _NO_SCORE
    return labels.masked_fill(no_score, ignore)


def merge_irn(foreground: np.ndarray, background: np.ndarray, *, ignore: int = 255) -> np.ndarray:
    """IRN's rule, on hard labels after the two CRFs.

    Args:
        foreground: (H, W) integers, 0 the background: the refined argmax beside a high background threshold.
        background: (H, W), the same beside a low one.
        ignore: Label of unsure pixels, one that the dtype of ``foreground`` holds.

    Returns:
        (H, W) of the dtype of ``foreground``: its class where it has one, 0 where both are background, else
        ``ignore``.

    Raises:
        ValueError: The shapes differ, the dtype is not of integers, or it does not hold ``ignore``.

    Examples:
        >>> merge_irn(np.array([[0, 3, 0]]), np.array([[0, 3, 3]]))
        array([[  0,   3, 255]])
    """
    if foreground.shape != background.shape or foreground.dtype.kind not in 'iu':
        raise ValueError(
            f'foreground {foreground.shape} {foreground.dtype}, background {background.shape}, expected '
            'integers of one shape'
        )
    if ignore > np.iinfo(foreground.dtype).max:
        raise ValueError(f'ignore={ignore} does not fit into {foreground.dtype}')
    unsure = (foreground == 0) & (background != 0)
    merged = foreground.copy()
    merged[unsure] = ignore
    return merged
