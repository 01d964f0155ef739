"""Refinement of score maps by the colours around each pixel.

Pixel-adaptive mask refinement comes from Araslanov and Roth, Single-Stage Semantic Segmentation from Image Labels, CVPR
2020; the position term and the squares from Ru et al., Learning Affinity from Attention, CVPR 2022.
"""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# Keeps the colour term finite where the neighbours have one colour; all their differences are equal then.
_EPS = 1e-8


def pixel_adaptive_refinement(
    image: Tensor,
    scores: Tensor,
    *,
    iterations: int = 10,
    dilations: Sequence[int] = (1, 2, 4, 8, 12, 24),
    colour_scale: float = 0.3,
    position_scale: float = 0.3,
    position_weight: float = 0.01,
) -> Tensor:
    """Replace each score again and again by a mean over neighbours of like colour.

    The neighbours j of a pixel i are the 8 * ``len(dilations)`` pixels one step of each dilation away; beyond the
    border stands the nearest pixel inside. With the colours I, the places p, and the standard deviations s of the
    colours and of the distances over the neighbours (n - 1 in the denominator)::

        colour_ij = softmax over j of: mean over the channels of -(|I_i - I_j| / (colour_scale * s_i))^2
        position_j = softmax over j of: -(|p_i - p_j| / (position_scale * s))^2
        scores_i <- sum over j of (colour_ij + position_weight * position_j) / (1 + position_weight) * scores_j

    The weights of a pixel add up to 1, so the sum over the classes stays 1 where it was, and a constant map constant.

    Memory beside the result: the weights, 8 * ``len(dilations)`` floats a pixel (36 MB for 375x500 and the default
    dilations), a padded copy of the image or the scores, and a few maps of their size.

    Args:
        image: Colours, (3, H, W) or (N, 3, H, W), in 0 .. 255; a common factor cancels.
        scores: (..., K, H, W) of one picture, or (N, ..., K, H, W) of N; on the device of ``image``.
        iterations: Number of replacements; 0 leaves the scores as they are.
        dilations: Distances to the neighbours in pixels.
        colour_scale: Width of the colour term in standard deviations.
        position_scale: Width of the position term in standard deviations.
        position_weight: Weight of the position term.

    Returns:
        Refined scores, of the shape and dtype of ``scores``. Computed in float32, or float64 if an input is.

    Raises:
        ValueError: A shape, a dtype or an option does not fit.
    """
    _check(image, scores)
    _check_options(iterations, dilations, colour_scale, position_scale, position_weight)
    if not iterations or not scores.numel():
        return scores.clone()
    dtype = torch.promote_types(torch.promote_types(image.dtype, scores.dtype), torch.float32)
    pictures = image.to(dtype).reshape(-1, *image.shape[-3:])
    maps = scores.to(dtype).reshape(len(pictures), -1, *scores.shape[-2:])
    shifts = [
        (dy * step, dx * step)
        for step in dilations
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if dy or dx
    ]
    weights = _colour_weights(pictures, shifts, colour_scale)
    # One number a neighbour, added as a Python number: nothing is copied to the device.
    for weight, position in zip(weights.unbind(dim=1), _position_weights(shifts, position_scale)):
        weight.add_(position_weight * position)
    weights /= 1 + position_weight
    for _ in range(iterations):
        refined = torch.zeros_like(maps)
        for weight, neighbour in zip(weights.split(1, dim=1), _neighbours(maps, shifts)):
            refined.addcmul_(weight, neighbour)
        maps = refined
    return maps.reshape(scores.shape).to(scores.dtype)


def _neighbours(maps: Tensor, shifts: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    """Maps (N, K, H, W) as seen from each pixel in the direction of each shift (dy, dx)."""
    height, width = maps.shape[-2:]
    reach = max(abs(step) for shift in shifts for step in shift)
    padded = F.pad(maps, (reach, reach, reach, reach), mode='replicate')
    for dy, dx in shifts:
        yield padded[..., reach + dy : reach + dy + height, reach + dx : reach + dx + width]


def _colour_weights(pictures: Tensor, shifts: Sequence[tuple[int, int]], scale: float) -> Tensor:
    """Softmax of the colour term, (N, J, H, W) for J shifts."""
    # Differences to the pixel itself instead of colours: the sums lose no digits where the window is nearly constant.
    mean = torch.zeros_like(pictures)
    for neighbour in _neighbours(pictures, shifts):
        mean += neighbour - pictures
    mean /= len(shifts)
    squares = torch.zeros_like(pictures)
    for neighbour in _neighbours(pictures, shifts):
        squares += (neighbour - pictures - mean).square_()
    width = scale * ((squares / (len(shifts) - 1)).sqrt_() + _EPS)
    weights = pictures.new_empty(len(pictures), len(shifts), *pictures.shape[-2:])
    for weight, neighbour in zip(weights.unbind(dim=1), _neighbours(pictures, shifts)):
        weight.copy_(((neighbour - pictures) / width).square_().mean(dim=1).neg_())
    # The softmax in place: these are by far the largest numbers of maps here.
    weights -= weights.amax(dim=1, keepdim=True)
    weights.exp_()
    weights /= weights.sum(dim=1, keepdim=True)
    return weights


def _position_weights(shifts: Sequence[tuple[int, int]], scale: float) -> list[float]:
    """Softmax of the position term, one number a shift."""
    distances = [math.hypot(*shift) for shift in shifts]
    mean = sum(distances) / len(distances)
    variance = sum((distance - mean) ** 2 for distance in distances) / (len(distances) - 1)
    exponents = [-(distance**2) / (scale**2 * variance) for distance in distances]
    highest = max(exponents)
    weights = [math.exp(exponent - highest) for exponent in exponents]
    return [weight / sum(weights) for weight in weights]


def _check(image: Tensor, scores: Tensor) -> None:
    if image.ndim not in (3, 4) or image.shape[-3] != 3 or not image.is_floating_point():
        raise ValueError(
            f'image {tuple(image.shape)} {image.dtype}, expected (3, H, W) or (N, 3, H, W) floats'
        )
    if not scores.is_floating_point() or scores.ndim < image.ndim:
        raise ValueError(
            f'scores {tuple(scores.shape)} {scores.dtype}, expected floats (..., K, H, W), for a '
            'batch of pictures (N, ..., K, H, W)'
        )
    batch = scores.shape[:1] if image.ndim == 4 else image.shape[:0]
    if (*batch, *scores.shape[-2:]) != (*image.shape[:-3], *image.shape[-2:]):
        raise ValueError(f'scores {tuple(scores.shape)} for an image {tuple(image.shape)}')


def _check_options(
    iterations: int,
    dilations: Sequence[int],
    colour_scale: float,
    position_scale: float,
    position_weight: float,
) -> None:
    if iterations < 0 or not dilations or min(dilations) < 1:
        raise ValueError(
            f'iterations={iterations}, dilations={tuple(dilations)}, expected at least 0, and '
            'distances of at least 1'
        )
    if not (colour_scale > 0 and position_scale > 0 and position_weight >= 0):
        raise ValueError(
            f'colour_scale={colour_scale}, position_scale={position_scale}, position_weight='
            f'{position_weight}, expected positive scales and a weight of at least 0'
        )
