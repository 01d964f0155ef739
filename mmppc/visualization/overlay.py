"""Colours of maps and masks, and how they lie over a picture. Arrays in, arrays out; all colours are RGB."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmppc.storage.masks import VOID, VOID_COLOUR

_TOLERANCE = 1e-3
# Google's Turbo, as jet from blue over green to red, but even: 18 points of its table, 15 of 255 apart.
_TURBO = (
    (48, 18, 59), (63, 62, 156), (70, 102, 221), (69, 140, 253), (47, 178, 244), (26, 212, 208),
    (34, 235, 170), (82, 250, 122), (139, 255, 75), (183, 247, 53), (219, 226, 54), (245, 197, 58),
    (254, 161, 48), (249, 117, 29), (232, 75, 12), (206, 45, 4), (169, 22, 1), (122, 4, 3),
)  # fmt: skip


def _table(points: Sequence[Sequence[int]]) -> np.ndarray:
    """A colour for each of 256 steps, (256, 3) uint8, between the given ones."""
    steps = np.linspace(0, 255, len(points))
    channels = [np.interp(np.arange(256), steps, channel) for channel in zip(*points)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


TURBO = _table(_TURBO)
"""(256, 3) uint8, the colour of heat in steps of 1/255."""


def heat_colours(heat: np.ndarray) -> np.ndarray:
    """Colours of a map: dark blue for 0, over green, to dark red for 1.

    Args:
        heat: (H, W) values in [0, 1].

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If the map is not 2-D, or holds NaN or a value outside [0, 1].
    """
    if heat.ndim != 2:
        raise ValueError(f'heat map {heat.shape}, expected (H, W)')
    values = np.asarray(heat, np.float32)
    if values.size and not (values.min() >= -_TOLERANCE and values.max() <= 1 + _TOLERANCE):
        raise ValueError(
            f'heat map holds {values.min()} .. {values.max()}, expected finite values in [0, 1]'
        )
    return TURBO[np.rint(values.clip(0, 1) * 255).astype(np.uint8)]


def overlay(
    picture: np.ndarray, colours: np.ndarray, opacity: float | np.ndarray = 0.5
) -> np.ndarray:
    """Colours over a picture.

    Args:
        picture: (H, W, 3) uint8.
        colours: (H, W, 3) uint8, in the picture's order of channels.
        opacity: In [0, 1], 0 shows the picture alone, 1 the colours alone: one number, or (H, W), one a pixel.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: If the sizes differ or an opacity is outside [0, 1].
    """
    if picture.shape != colours.shape or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f'picture {picture.shape} and colours {colours.shape}, expected (H, W, 3) both'
        )
    share = np.asarray(opacity, np.float32)
    if share.ndim and share.shape != picture.shape[:2]:
        raise ValueError(f'opacity {share.shape}, expected a number or {picture.shape[:2]}')
    if share.size and not (share.min() >= 0 and share.max() <= 1):
        raise ValueError(f'opacity {share.min()} .. {share.max()}, expected values in [0, 1]')
    if share.ndim:
        share = share[..., None]
    mixed = picture + share * (colours.astype(np.float32) - picture)
    return np.rint(mixed).astype(np.uint8)


def paint_mask(mask: np.ndarray, palette: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
    """Colours of an index mask.

    Args:
        mask: (H, W) integers, classes 0 .. ``len(palette) - 1`` or 255 for void, which gets a colour of its own.
        palette: One (R, G, B) of 0 .. 255 a class, background first.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If the mask is not 2-D, or holds a value without a colour.
    """
    colours = np.asarray(palette)
    if colours.ndim != 2 or colours.shape[1] != 3 or not 1 <= len(colours) <= 256:
        raise ValueError(f'palette {colours.shape}, expected (1 .. 256 classes, 3)')
    if mask.ndim != 2 or mask.dtype.kind not in 'iu':
        raise ValueError(f'mask {mask.shape} {mask.dtype}, expected (H, W) integers')
    table = np.zeros((256, 3), np.uint8)
    table[VOID] = VOID_COLOUR
    table[: len(colours)] = colours
    known = ((mask >= 0) & (mask < len(colours))) | (mask == VOID)
    if not known.all():
        raise ValueError(
            f'mask holds {np.unique(mask[~known])[:5].tolist()}, expected classes 0 .. '
            f'{len(colours) - 1} or {VOID} (void)'
        )
    return table[mask]
