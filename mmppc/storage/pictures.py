"""Reading pictures of any kind as 8-bit RGB."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

DECODER_ERRORS = (
    OSError,
    SyntaxError,  # a broken PNG chunk
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises on files that are no pictures, cut off or damaged."""


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """Read a picture as (H, W, 3) uint8 RGB, upright.

    The EXIF orientation is applied. Grey, palette, CMYK and 16-bit pictures become RGB (16 bit by
    rounding v / 257); an alpha channel is dropped; of several frames the first is taken.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a picture, cut off or damaged, or holds floats or 32-bit numbers.
    """
    try:
        with Image.open(path) as picture:
            picture.load()
            return np.array(_to_rgb(ImageOps.exif_transpose(picture)))
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: no such picture') from None
    except DECODER_ERRORS as error:
        raise ValueError(
            f'{path}: not a picture that can be read, or truncated or damaged ({error})'
        ) from error


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith('I'):
        # Pillow clips these to 255 instead of scaling.
        values = np.asarray(picture).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f'values {values.min()} .. {values.max()}, expected 8 or 16 bits')
        picture = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    elif picture.mode == 'F':
        raise ValueError('floating-point values, expected 8 or 16 bits')
    elif picture.mode == 'P' and 'transparency' in picture.info:
        picture = picture.convert('RGBA')
    return picture.convert('RGB')
