"""Fully connected CRF (Krähenbühl and Koltun, 2011) with the settings of the published methods.

Needs ``pydensecrf``, which is imported on first use. Every image is (H, W, 3) uint8 RGB.

Absent labels cost nothing. Labels that no pixel has share one unary, so by symmetry they share one
marginal q at every iteration, and only their sum A = m q needs to be kept. Its update,
``A ∝ m exp(-u + w k*(A/m))``, is that of a single label with the unary ``u - log m`` and the
compatibility ``w / m``. Hence a CRF over 21 labels runs exactly on the present ones and one aggregate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

_SMALLEST = 1e-5


@dataclass(frozen=True)
class CRFPreset:
    """Settings of a dense CRF with a Gaussian and a bilateral kernel and Potts compatibility.

    Attributes:
        unary: What the unary is made from: ``'labels'``, a hard label map, or ``'scores'``,
            ``-log clip(score, 1e-5, 1)`` of probabilities or unnormalised scores.
        bilateral_xy: Standard deviation of the bilateral kernel in pixels.
        bilateral_rgb: The same in grey levels.
        bilateral_weight: Its weight.
        iterations: Mean-field iterations.
        smooth_xy: Standard deviation of the Gaussian kernel in pixels.
        smooth_weight: Its weight.
        confidence: Probability of a pixel's given label; the other labels share the rest.
        all_labels: Hard labels only: share the rest among all ``num_labels``, present or not. False:
            among the present ones. This changes the result.
        axes: Order of the coordinates in the features, ``'xy'`` or ``'yx'``. The permutohedral lattice is
            not symmetric in them: about 0.3 % of the pixels differ.
    """

    unary: str
    bilateral_xy: float
    bilateral_rgb: float
    bilateral_weight: float
    iterations: int = 10
    smooth_xy: float = 3
    smooth_weight: float = 3
    confidence: float = 0.7
    all_labels: bool = True
    axes: str = 'xy'

    def __post_init__(self) -> None:
        if self.unary not in ('labels', 'scores') or self.axes not in ('xy', 'yx'):
            raise ValueError(
                f'CRFPreset: unary={self.unary!r}, axes={self.axes!r}; expected '
                "'labels' or 'scores', and 'xy' or 'yx'"
            )
        if not 0 < self.confidence < 1 or self.iterations < 0:
            raise ValueError(
                f'CRFPreset: confidence={self.confidence}, iterations={self.iterations}; expected '
                'a probability between 0 and 1, and at least 0'
            )


CRF_PRESETS: Mapping[str, CRFPreset] = MappingProxyType(
    {
        # Seeds of PPC, over all labels of the data set.
        'seed': CRFPreset('labels', 50, 5, 10),
        # Confident labels of IRN: the same over the present labels only.
        'irn': CRFPreset('labels', 50, 5, 10, all_labels=False),
        # Confident labels of PSA and SEAM from [(1 - max)^alpha, maps], and of PPC as published.
        'psa': CRFPreset('scores', 80, 13, 10),
        'ppc_affinity': CRFPreset('labels', 80, 13, 10, axes='yx'),
        'eps': CRFPreset('scores', 80, 13, 10, iterations=5),
        # After the random walk.
        'random_walk': CRFPreset('scores', 80, 13, 10, iterations=1),
        # Test of DeepLab, and of the code base that the published one grew from.
        'deeplab': CRFPreset('scores', 67, 3, 4, smooth_xy=1),
        'codebase': CRFPreset('scores', 32, 13, 10, iterations=1),
    }
)


@dataclass(frozen=True)
class LabelMarginals:
    """Marginals of a CRF over hard labels.

    Attributes:
        labels: (P,) int64, the labels kept one by one: those present in the input and the tagged ones,
            ascending.
        probabilities: (P, H, W) float32, their marginals; (A, P, H, W) for a stack of A maps.
        absent: (H, W) or (A, H, W) float32, sum of the marginals of all other labels; equal shares by
            symmetry.
        num_absent: Number of those.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    absent: np.ndarray
    num_absent: int


def crf_preset(preset: str | CRFPreset) -> CRFPreset:
    """Preset by name (or itself); ValueError listing the names if unknown."""
    if isinstance(preset, CRFPreset):
        return preset
    if preset not in CRF_PRESETS:
        raise ValueError(f'CRF preset {preset!r}: expected one of {", ".join(CRF_PRESETS)}')
    return CRF_PRESETS[preset]


def require_densecrf() -> Any:
    """The module ``pydensecrf.densecrf``; ImportError with the command that installs it."""
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise ImportError(
            f'the dense CRF needs pydensecrf, which is missing or broken ({error}); with a C++ '
            'compiler at hand install it: pip install "mmppc[crf]"'
        ) from error
    return densecrf


def crf_from_labels(
    image: np.ndarray,
    labels: np.ndarray,
    num_labels: int,
    preset: str | CRFPreset = 'seed',
    *,
    tagged: Sequence[int] | np.ndarray | None = None,
) -> np.ndarray:
    """Refine a hard label map, or several of one picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) integers 0 .. ``num_labels`` - 1. Or (A, H, W), several such maps for one picture,
            which then share the lattice and the labels that count as possible.
        num_labels: Labels of the data set, the background included.
        preset: A preset with ``unary='labels'``, or its name.
        tagged: Labels that are possible although no pixel may have them. Presets with ``all_labels`` give
            the same result with and without. The others share the rest of the probability among these
            and the present labels, so it matters: IRN's are the background and the picture's tags.

    Returns:
        Of the shape and dtype of ``labels``.

    Raises:
        ImportError: If pydensecrf is missing.
        ValueError: If the preset, a shape, a dtype or a label does not fit.
    """
    settings = _settings(preset, 'labels')
    present = _check_labels(image, labels, num_labels)
    possible = _check_tagged(tagged, num_labels)
    # The only label starts as the most probable everywhere, and smoothing keeps it so.
    if len(present) == 1 and settings.confidence >= 0.5:
        return labels.copy()
    marginals = crf_marginals(image, labels, num_labels, settings, tagged=possible)
    winner = marginals.probabilities.argmax(axis=-3)
    refined = marginals.labels[winner]
    if marginals.num_absent:
        best = marginals.probabilities.max(axis=-3)
        first_absent = np.setdiff1d(np.arange(num_labels), marginals.labels)[0]
        refined[marginals.absent / marginals.num_absent > best] = first_absent
    return refined.astype(labels.dtype)


def crf_marginals(
    image: np.ndarray,
    labels: np.ndarray,
    num_labels: int,
    preset: str | CRFPreset = 'seed',
    *,
    tagged: Sequence[int] | np.ndarray | None = None,
) -> LabelMarginals:
    """Marginals for hard labels; arguments and errors as in :func:`crf_from_labels`."""
    settings = _settings(preset, 'labels')
    present = _check_labels(image, labels, num_labels)
    kept = np.union1d(present, _check_tagged(tagged, num_labels))
    considered = num_labels if settings.all_labels else len(kept)
    num_absent = considered - len(kept)
    maps = labels.reshape(-1, *image.shape[:2])
    if considered == 1:
        probabilities = np.ones((len(maps), 1, *image.shape[:2]), np.float32)
        absent = np.zeros(maps.shape, np.float32)
    else:
        given = np.float32(-np.log(settings.confidence))
        other = np.float32(-np.log((1 - settings.confidence) / (considered - 1)))
        unaries = np.where(maps[:, None] == kept[:, None, None], given, other)
        weights = np.ones(len(kept))
        if num_absent:
            aggregate = np.full_like(unaries[:, :1], other - np.log(num_absent))
            unaries = np.concatenate([unaries, aggregate], axis=1)
            weights = np.append(weights, 1 / num_absent)
        marginals = _mean_field(image, unaries, settings, weights)
        probabilities = marginals[:, : len(kept)]
        absent = marginals[:, len(kept)] if num_absent else np.zeros(maps.shape, np.float32)
    if labels.ndim == 2:
        probabilities, absent = probabilities[0], absent[0]
    return LabelMarginals(kept, probabilities, absent, num_absent)


def crf_from_probabilities(
    image: np.ndarray, probabilities: np.ndarray, preset: str | CRFPreset = 'deeplab'
) -> np.ndarray:
    """Refine soft scores.

    Args:
        image: (H, W, 3) uint8 RGB.
        probabilities: (K, H, W) finite, non-negative; need not sum to 1. Or (A, K, H, W), several such
            stacks for one picture, which then share the lattice.
        preset: A preset with ``unary='scores'``, or its name.

    Returns:
        Marginals, float32 of the same shape, summing to 1 over the K labels.

    Raises:
        ImportError: If pydensecrf is missing.
        ValueError: If the preset, a shape or a value does not fit.
    """
    settings = _settings(preset, 'scores')
    if probabilities.ndim not in (3, 4) or 0 in probabilities.shape:
        raise ValueError(f'probabilities {probabilities.shape}, expected (K, H, W) or (A, K, H, W)')
    _check_image(image, probabilities.shape[-2:])
    if not np.isfinite(probabilities).all() or probabilities.min() < 0:
        raise ValueError('probabilities hold NaN, infinite or negative values')
    num_labels = probabilities.shape[-3]
    if num_labels == 1:
        return np.ones(probabilities.shape, np.float32)
    stacks = probabilities.reshape(-1, *probabilities.shape[-3:])
    unaries = -np.log(stacks.clip(_SMALLEST, 1))
    marginals = _mean_field(image, unaries, settings, np.ones(num_labels))
    return marginals.reshape(probabilities.shape)


def _settings(preset: str | CRFPreset, unary: str) -> CRFPreset:
    settings = crf_preset(preset)
    if settings.unary != unary:
        names = [name for name, item in CRF_PRESETS.items() if item.unary == unary]
        raise ValueError(
            f'CRF preset {preset!r} takes {settings.unary}, expected one for {unary}: '
            f'{", ".join(names)}'
        )
    return settings


def _check_image(image: np.ndarray, size: tuple[int, ...]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'image {image.shape} {image.dtype}, expected (H, W, 3) uint8')
    if image.shape[:2] != tuple(size):
        raise ValueError(f'image of size {image.shape[:2]} for maps of size {tuple(size)}')


def _check_labels(image: np.ndarray, labels: np.ndarray, num_labels: int) -> np.ndarray:
    """The labels of a map or of a stack of them, ascending, int64."""
    if labels.ndim not in (2, 3) or not labels.size or labels.dtype.kind not in 'iu':
        raise ValueError(
            f'labels {labels.shape} {labels.dtype}, expected (H, W) or (A, H, W) integers'
        )
    _check_image(image, labels.shape[-2:])
    if labels.min() < 0 or labels.max() >= num_labels:
        raise ValueError(
            f'labels hold {np.unique(labels).tolist()}, expected 0 .. {num_labels - 1}'
        )
    return np.flatnonzero(np.bincount(labels.reshape(-1).astype(np.int64)))


def _check_tagged(tagged: Sequence[int] | np.ndarray | None, num_labels: int) -> np.ndarray:
    values = np.asarray([] if tagged is None else tagged, dtype=np.int64).reshape(-1)
    if values.size and (values.min() < 0 or values.max() >= num_labels):
        raise ValueError(f'tagged holds {values.tolist()}, expected 0 .. {num_labels - 1}')
    return values


def _mean_field(
    image: np.ndarray, unaries: np.ndarray, settings: CRFPreset, weights: np.ndarray
) -> np.ndarray:
    """Marginals of several CRFs over one picture.

    Args:
        image: (H, W, 3) uint8.
        unaries: (A, P, H, W), one CRF each.
        settings: Kernels and iterations.
        weights: (P,), label p has this share of the kernels' compatibility.

    Returns:
        (A, P, H, W) float32.
    """
    num_labels = len(weights)
    # pydensecrf handles four labels at once and the rest one by one, so that four labels take less time
    # than three. The labels added here stay below exp(-40) of the likeliest: messages only favour labels.
    rows = -(-num_labels // 4) * 4
    energies = np.full((rows, image.shape[0] * image.shape[1]), unaries.max() + 40, np.float32)
    crf = _pairwise(image, settings, np.append(weights, np.ones(rows - num_labels)))
    result = np.empty(unaries.shape, np.float32)
    for unary, marginals in zip(unaries, result):
        energies[:num_labels] = unary.reshape(num_labels, -1)
        crf.setUnaryEnergy(energies)
        inferred = np.asarray(crf.inference(settings.iterations))
        marginals[:] = inferred[:num_labels].reshape(marginals.shape)
    return result


def _pairwise(image: np.ndarray, settings: CRFPreset, weights: np.ndarray) -> Any:
    """A CRF with its kernels, whose label l has the share ``weights[l]`` of their compatibility."""
    make = require_densecrf().DenseCRF2D
    height, width = image.shape[:2]
    crf = make(width, height, len(weights))
    smooth = _features(image, settings.smooth_xy, None, settings.axes)
    bilateral = _features(image, settings.bilateral_xy, settings.bilateral_rgb, settings.axes)
    # One number a label is a diagonal compatibility; pydensecrf wants it negative, unlike a scalar.
    crf.addPairwiseEnergy(smooth, compat=_float32(-settings.smooth_weight * weights))
    crf.addPairwiseEnergy(bilateral, compat=_float32(-settings.bilateral_weight * weights))
    return crf


def _features(image: np.ndarray, xy: float, rgb: float | None, axes: str) -> np.ndarray:
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32) / np.float32(xy)
    planes = [columns, rows] if axes == 'xy' else [rows, columns]
    if rgb is not None:
        planes.extend(image.transpose(2, 0, 1).astype(np.float32) / np.float32(rgb))
    return _float32(np.stack([plane.reshape(-1) for plane in planes]))


def _float32(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32)
