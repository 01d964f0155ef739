"""Reading a picture file of any common kind."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image, ImageOps

# What PIL's decoders raise on files that are cut off or damaged.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@TRANSFORMS.register_module()
class LoadPicture(BaseTransform):
    """Read ``img_path`` as 8-bit BGR, upright.

    The EXIF orientation is applied. Grey, palette, CMYK and 16-bit pictures become RGB (16 bit by rounding v / 257);
    an alpha channel is dropped; of several frames the first is taken.

    Adds ``img`` (H, W, 3) uint8 BGR, ``img_shape`` and ``ori_shape`` (H, W).

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not a picture, cut off or damaged, or holds floats or 32-bit numbers.
    """

    def transform(self, results: dict) -> dict:
        image = read_rgb(results['img_path'])
        results['img'] = np.ascontiguousarray(np.asarray(image)[..., ::-1])
        results['img_shape'] = results['img'].shape[:2]
        results['ori_shape'] = results['img'].shape[:2]
        return results


def read_rgb(path: str) -> Image.Image:
    """The picture in a file as an upright 8-bit RGB image; errors as for :class:`LoadPicture`."""
    try:
        with Image.open(path) as image:
            image.load()
            return _to_rgb(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: no such picture') from None
    except DECODER_ERRORS as error:
        raise ValueError(
            f'{path}: not a picture that can be read, or truncated or damaged ({error})'
        ) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith('I'):
        # PIL clips these to 255 instead of scaling.
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f'values {values.min()}..{values.max()}, expected 8 or 16 bits')
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    elif image.mode == 'F':
        raise ValueError('floating-point values, expected 8 or 16 bits')
    elif image.mode == 'P' and 'transparency' in image.info:
        image = image.convert('RGBA')
    return image.convert('RGB')
