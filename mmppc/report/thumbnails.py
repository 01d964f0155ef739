"""Pictures small enough to lie inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, features

from mmppc.report.columns import Column, PictureFiles
from mmppc.report.picture_scores import labels_of, tried
from mmppc.report.records import SEEDS
from mmppc.storage.masks import load_mask
from mmppc.storage.pictures import read_picture
from mmppc.storage.seeds import load_seed
from mmppc.visualization.overlay import heat_colours, paint_mask

SIDE = 448
"""Longest side of a picture and its masks in pixels."""
HEAT_SIDE = 160
"""Of a heat map, which is smooth; the page stretches it."""
_QUALITY = 62
_HEAT_QUALITY = 55


@dataclass(frozen=True)
class Layer:
    """What lies over the picture in one cell.

    Attributes:
        key: ``truth``, a column's key, or ``heat``.
        label: Class of a heat map, else None.
        image: Data URI.
        classes: Foreground classes of a label map.
    """

    key: str
    label: int | None
    image: str
    classes: tuple[int, ...] = ()


@dataclass(frozen=True)
class PictureImages:
    """A picture and its layers as data URIs.

    Attributes:
        size: (height, width) of the picture itself in pixels.
        photo: The picture; None if it cannot be read.
        layers: In the order they are shown.
    """

    size: tuple[int, int]
    photo: str | None
    layers: tuple[Layer, ...]
    notes: tuple[str, ...] = ()


def embed_picture(
    columns: Sequence[Column],
    palette: Sequence[Sequence[int]],
    item: tuple[int, PictureFiles],
) -> tuple[int, PictureImages]:
    """A picture and all that stages made of it, for the page; what cannot be read is left out and noted.

    Args:
        columns: What may be there.
        palette: 1 + C colours (R, G, B).
        item: Its place, which comes back, and the picture.
    """
    index, picture = item
    notes: list[str] = []
    found = tried(partial(read_picture, picture.record.img_path), notes)
    if found is None:
        return index, PictureImages((1, 1), None, (), tuple(notes))
    layers = []
    truth_path = picture.record.truth_path
    if truth_path is not None:
        truth = tried(partial(load_mask, truth_path, len(palette)), notes)
        if truth is not None:
            layers.append(_mask_layer('truth', truth, palette))
    here = [column for column in columns if column.key in picture.files]
    for column in here:
        if column.kind == SEEDS:
            seed = tried(partial(load_seed, picture.files[column.key]), notes)
            for scores, label in zip(seed.scores, seed.classes) if seed else ():
                layers.append(Layer('heat', int(label), _heat(scores)))
    for column in here:
        if column.kind == SEEDS and column.threshold is None:
            continue
        labels = tried(partial(labels_of, column, picture, len(palette)), notes)
        if labels is not None:
            layers.append(_mask_layer(column.key, labels, palette))
    size = found.shape[0], found.shape[1]
    photo = _encode(_shrunk(Image.fromarray(found), SIDE, Image.Resampling.LANCZOS), _QUALITY)
    return index, PictureImages(size, photo, tuple(layers), tuple(notes))


def _mask_layer(key: str, mask: np.ndarray, palette: Sequence[Sequence[int]]) -> Layer:
    """A mask's colours; the background is clear, so that the picture shows there."""
    small = np.asarray(_shrunk(Image.fromarray(mask), SIDE, Image.Resampling.NEAREST))
    alpha = np.where(small == 0, 0, 255).astype(np.uint8)
    colours = np.dstack([np.where(alpha[..., None] > 0, paint_mask(small, palette), 0), alpha])
    classes = tuple(int(k) for k in np.unique(mask) if 0 < k < len(palette))
    return Layer(key, None, _encode(Image.fromarray(colours.astype(np.uint8)), None), classes)


def _heat(scores: np.ndarray) -> str:
    small = _shrunk(Image.fromarray(scores), HEAT_SIDE, Image.Resampling.BILINEAR)
    return _encode(Image.fromarray(heat_colours(np.asarray(small).clip(0, 1))), _HEAT_QUALITY)


def _shrunk(image: Image.Image, side: int, method: Image.Resampling) -> Image.Image:
    """The image with its longest side at most ``side``."""
    scale = side / max(image.size)
    if scale >= 1:
        return image
    width, height = image.size
    return image.resize((max(1, round(width * scale)), max(1, round(height * scale))), method)


def _encode(image: Image.Image, quality: int | None) -> str:
    """Data URI: WebP, lossless if ``quality`` is None; JPEG or PNG where Pillow was built without WebP."""
    kind, options = _format(quality)
    with io.BytesIO() as buffer:
        image.save(buffer, format=kind, **options)
        text = base64.b64encode(buffer.getvalue()).decode('ascii')
    return f'data:image/{kind.lower()};base64,{text}'


def _format(quality: int | None) -> tuple[str, Mapping]:
    if features.check('webp'):
        if quality is None:
            return 'WEBP', {'lossless': True, 'quality': 80, 'method': 6}
        return 'WEBP', {'quality': quality, 'method': 5}
    if quality is None:
        return 'PNG', {'optimize': True}
    return 'JPEG', {'quality': quality, 'optimize': True}
