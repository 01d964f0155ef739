"""Reading pictures of any kind as 8-bit RGB."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

_DEEP_MODES = ('I', 'I;16', 'I;16B', 'I;16L', 'I;16N')


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """Read a picture as (H, W, 3) uint8 RGB, upright.

    The EXIF orientation is applied. Grey, palette and CMYK pictures are converted, transparency is
    dropped, 16-bit grey keeps its upper eight bits.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the file is no picture, or is truncated or damaged.
        ValueError: If it holds floating-point values, whose range is unknown.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f'{file}: no such picture')
    try:
        with Image.open(file) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode == 'F':
                raise ValueError(f'{file}: floating-point picture, expected 8 or 16 bits a channel')
            if picture.mode in _DEEP_MODES:
                grey = np.asarray(picture).astype(np.int64) >> 8
                picture = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
            elif picture.mode == 'P' and 'transparency' in picture.info:
                picture = picture.convert('RGBA')
            return np.array(picture.convert('RGB'))
    except UnidentifiedImageError as error:
        raise OSError(f'{file}: not a picture of a known format') from error
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        # Pillow reports a broken PNG chunk as SyntaxError.
        raise OSError(f'{file}: cannot read this picture, truncated or damaged: {error}') from error
