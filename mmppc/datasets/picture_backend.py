"""Our reading of pictures behind OpenMMLab's own loader."""

from __future__ import annotations

from pathlib import Path

import cv2
from mmengine.fileio import LocalBackend, register_backend

from mmppc.storage.pictures import read_picture


@register_backend('picture', force=True)
class PictureBackend(LocalBackend):
    """Picture files as :class:`LoadPicture` reads them, with its errors, for the stock loader.

    ``MMSegInferencer`` accepts only pipelines with a ``LoadImageFromFile``. As ``dict(type='LoadImageFromFile',
    backend_args=dict(backend='picture'))`` it gives the array that ``LoadPicture`` gives.
    """

    def get(self, filepath: str | Path) -> bytes:
        """The picture as a BMP file, which holds every pixel as it is.

        Raises:
            FileNotFoundError: If the file is missing.
            ValueError: If it is not a picture, cut off or damaged, or holds floats or 32-bit numbers.
        """
        _, encoded = cv2.imencode('.bmp', read_picture(filepath)[..., ::-1])
        return encoded.tobytes()
