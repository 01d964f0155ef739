"""Palette PNG masks: the pixel value is the class, the palette only shows it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from mmppc.storage.atomic import atomic_write
from mmppc.storage.pictures import DECODER_ERRORS

VOID = 255
"""Pixel value of "no class", e.g. VOC's borders."""

VOID_COLOUR = (224, 224, 192)
META = 'mmppc'
"""Keyword of the PNG's text chunk with its record."""


def save_mask(
    path: str | os.PathLike,
    mask: np.ndarray,
    palette: Sequence[Sequence[int]] | np.ndarray,
    meta: Mapping[str, Any] | None = None,
) -> None:
    """Write an index mask as palette PNG, atomically.

    Args:
        path: Where to write.
        mask: (H, W) integers, classes 0 .. ``len(palette) - 1`` or 255 for void.
        palette: One (R, G, B) of 0 .. 255 a class, background first.
        meta: Anything JSON can hold, for a text chunk of the PNG that :func:`mask_meta` reads.

    Raises:
        ValueError: If the mask is not 2-D or empty, or holds a value without a colour.
    """
    colours = np.asarray(palette)
    if colours.ndim != 2 or colours.shape[1] != 3 or not 1 <= len(colours) <= 256:
        raise ValueError(f'{path}: palette {colours.shape}, expected (1 .. 256 classes, 3)')
    if mask.ndim != 2 or not mask.size or mask.dtype.kind not in 'iu':
        raise ValueError(f'{path}: mask {mask.shape} {mask.dtype}, expected (H, W) integers')
    _check_values(mask, len(colours), path)
    table = np.zeros((256, 3), np.uint8)
    table[VOID] = VOID_COLOUR
    table[: len(colours)] = colours
    picture = Image.fromarray(mask.astype(np.uint8))
    picture.putpalette(table.tobytes())
    record = PngImagePlugin.PngInfo()
    if meta is not None:
        record.add_text(META, json.dumps(dict(meta)))
    with atomic_write(path) as file:
        picture.save(file, format='PNG', pnginfo=record)


def mask_meta(path: str | os.PathLike) -> dict[str, Any]:
    """What the writer of a mask recorded; empty if nothing.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or the record is damaged.
    """
    try:
        with Image.open(path) as picture:
            picture.load()
            text = picture.info.get(META)
        return json.loads(text) if text else {}
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: no such mask') from None
    except DECODER_ERRORS as error:
        raise ValueError(f'{path}: truncated or damaged ({error})') from error


def load_mask(path: str | os.PathLike, num_classes: int | None = None) -> np.ndarray:
    """Read an index mask, (H, W) uint8.

    Args:
        path: A picture with one channel: palette or grey, where the value is the class.
        num_classes: 1 + C; values from here up to 254 are refused. None to accept all.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, is a colour mask, or holds a value that is no class.
    """
    try:
        with Image.open(path) as picture:
            mode, mask = picture.mode, np.array(picture)
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: no such mask') from None
    except DECODER_ERRORS as error:
        raise ValueError(
            f'{path}: not a mask that can be read, or truncated or damaged ({error})'
        ) from error
    if mode.startswith('I') or mode == 'F':
        raise ValueError(
            f'{path}: mask (mode {mode}) of more than 8 bits a pixel, expected an index mask: palette or grey, where '
            'the value is the class'
        )
    if mode not in ('P', 'L', '1'):
        raise ValueError(
            f'{path}: colour mask (mode {mode}), expected an index mask with one channel whose '
            'values are classes; convert the colours to class numbers first'
        )
    mask = mask.astype(np.uint8)
    if num_classes is not None:
        _check_values(mask, num_classes, path)
    return mask


def _check_values(mask: np.ndarray, num_classes: int, path: str | os.PathLike) -> None:
    values = np.unique(mask)
    wrong = values[((values < 0) | (values >= num_classes)) & (values != VOID)]
    if wrong.size:
        shown = ', '.join(map(str, wrong[:5])) + (', ...' if wrong.size > 5 else '')
        raise ValueError(
            f'{path}: mask holds {shown}, expected classes 0 .. {num_classes - 1} or {VOID} (void)'
        )
