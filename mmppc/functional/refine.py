"""One interface over the ways to refine scores by the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmppc.functional.dense_crf import (
    CRFPreset,
    crf_from_labels,
    crf_from_probabilities,
    crf_preset,
    require_densecrf,
)
from mmppc.functional.pamr import pixel_adaptive_refinement

METHODS = ('none', 'densecrf', 'pamr')


def check_refinement(method: str, crf: str | CRFPreset = 'seed') -> None:
    """Refuse early what :func:`refine_labels` would refuse late.

    Args:
        method: One of ``METHODS``.
        crf: Preset of the dense CRF; of no account to the other methods.

    Raises:
        ValueError: If the method, or the preset that it needs, is unknown.
        ImportError: If the method needs pydensecrf, which is missing.
    """
    if method not in METHODS:
        raise ValueError(f'refinement {method!r}: expected one of {", ".join(METHODS)}')
    if method == 'densecrf':
        crf_preset(crf)
        require_densecrf()


def refine_labels(
    image: np.ndarray,
    scores: Tensor,
    classes: Sequence[int] | np.ndarray | Tensor,
    num_labels: int,
    *,
    method: str = 'none',
    crf: str | CRFPreset = 'seed',
    pamr: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """Label of each pixel: the argmax of the scores, refined by the picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        scores: (1+K, H, W), background first, finite and non-negative; on any device, where PAMR runs then.
        classes: (1+K,) channel numbers of the rows, the background's 0 first. They count as possible where
            a CRF asks which labels are.
        num_labels: Labels of the data set, the background included.
        method: ``'none'``, the argmax; ``'densecrf'``, a CRF over that argmax or over the scores, as the
            preset takes; ``'pamr'``, the argmax after :func:`~mmppc.functional.pamr.pixel_adaptive_refinement`.
        crf: Preset of the CRF, or its name.
        pamr: Options of the pixel-adaptive refinement, other than its defaults.

    Returns:
        (H, W) channel numbers, uint8 where ``num_labels`` is at most 256, else int64. Ties go to the lower
        row. With K = 0 all background.

    Raises:
        ImportError: If the CRF is asked for and pydensecrf is missing.
        ValueError: If a name, a shape, a dtype, a class or a score is not as expected.
    """
    if method not in METHODS:
        raise ValueError(f'refinement {method!r}: expected one of {", ".join(METHODS)}')
    numbers = _check(image, scores, classes, num_labels)
    if len(numbers) == 1:
        return np.zeros(image.shape[:2], numbers.dtype)
    if method == 'pamr':
        # A copy: pictures are often read-only arrays, which torch refuses to share silently.
        picture = torch.tensor(image, device=scores.device).permute(2, 0, 1)
        floats = scores if scores.is_floating_point() else scores.float()
        scores = pixel_adaptive_refinement(picture.float(), floats, **(pamr or {}))
    elif method == 'densecrf' and crf_preset(crf).unary == 'scores':
        marginals = crf_from_probabilities(image, scores.detach().float().cpu().numpy(), crf)
        return numbers[marginals.argmax(axis=0)]
    labels = numbers[scores.argmax(dim=0).cpu().numpy()]
    if method == 'densecrf':
        return crf_from_labels(image, labels, num_labels, crf, tagged=numbers)
    return labels


def _check(
    image: np.ndarray, scores: Tensor, classes: Sequence[int] | np.ndarray | Tensor, num_labels: int
) -> np.ndarray:
    """The channel numbers, of the dtype of the result."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'image {image.shape} {image.dtype}, expected (H, W, 3) uint8')
    if scores.ndim != 3 or not len(scores) or tuple(scores.shape[1:]) != image.shape[:2]:
        raise ValueError(
            f'scores {tuple(scores.shape)} for a picture {image.shape[:2]}, expected (1+K, H, W)'
        )
    numbers = torch.as_tensor(classes).cpu().numpy().astype(np.int64)
    if numbers.shape != (len(scores),) or numbers[0] != 0:
        raise ValueError(
            f'classes {numbers.tolist()} for {len(scores)} rows of scores, expected one a row, 0 first'
        )
    if len(np.unique(numbers)) < len(numbers) or numbers.min() < 0 or numbers.max() >= num_labels:
        raise ValueError(
            f'classes {numbers.tolist()}, expected different ones of 0 .. {num_labels - 1}'
        )
    if not scores.isfinite().all() or scores.min() < 0:
        raise ValueError('scores hold NaN, infinite or negative values')
    return numbers.astype(np.uint8 if num_labels <= 256 else np.int64)
