"""Composition of a toy picture, its mask and what stands in it.

A CAM that lights up parts and scenes instead of objects is what a tag classifier learns from these
pictures, by design: bodies are shared by classes, and some classes prefer a scene.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from mmppc.datasets.toy_scenes import SCENES, draw_coat, draw_occluder, draw_scene, light
from mmppc.datasets.toy_shapes import ANIMALS, TOY_CLASSES, object_shapes

IGNORE = 255
OCCLUDER = 255
"""Number of what stands before the objects."""
# Drawn this much larger, then averaged: smooth edges.
_OVERSAMPLING = 2
# The scene in which a class stands more often than in others.
_FAVOURITES = {'cat': 'wall', 'cow': 'meadow', 'taxi': 'road', 'digger': 'sand'}


@dataclass(frozen=True)
class ToyStyle:
    """What differs between toy sets.

    Attributes:
        object_size: Range of half of a body's width, relative to the picture's typical side.
        objects: Probabilities of one, two and three objects in a picture.
        favour: Probability that a class with a favourite scene stands in it for sure; otherwise any scene is drawn.
    """

    object_size: tuple[float, float]
    objects: tuple[float, float, float]
    favour: float


STYLES = {
    'toy': ToyStyle(object_size=(0.18, 0.32), objects=(0.55, 0.35, 0.1), favour=0.6),
    # Large bodies beside a small part that tells the class, and scenes that give four classes away nearly as well.
    'parts': ToyStyle(object_size=(0.24, 0.36), objects=(0.8, 0.2, 0.0), favour=0.8),
}
"""Toy sets by name: ``toy``, and ``parts``, in which activating too little and too much is easiest to see."""


class ToyPicture(NamedTuple):
    """A picture and the truth about it."""

    picture: np.ndarray
    """(H, W, 3) uint8 RGB."""
    mask: np.ndarray
    """Class indices (H, W) uint8 with a border of 255 between regions, as in VOC, one pixel wide."""
    things: np.ndarray
    """(H, W) uint8: 0 the scene, 1 .. K the objects, 255 what stands before them."""


def draw_picture(
    index: int, size: int, rng: Generator, style: ToyStyle = STYLES['toy']
) -> ToyPicture:
    """One toy picture.

    Args:
        index: Decides the class of the first object, in turn.
        size: Typical side in pixels; each side is uniform in 0.8125..1.125 times this.
        rng: Source of everything else.
        style: Sizes, numbers and scenes.
    """
    sides = rng.integers(round(size * 0.8125), round(size * 1.125) + 1, size=2)
    height, width = int(sides[0]), int(sides[1])
    canvas = (height * _OVERSAMPLING, width * _OVERSAMPLING)
    foreground = len(TOY_CLASSES) - 1
    classes = [1 + index % foreground]
    for _ in range(int(rng.choice(3, p=style.objects))):
        classes.append(1 + int(rng.integers(foreground)))
    scene = _FAVOURITES.get(TOY_CLASSES[classes[0]], '')
    if not scene or rng.random() > style.favour:
        scene = SCENES[int(rng.integers(len(SCENES)))]
    while True:
        image = draw_scene(scene, canvas, rng)
        labels, things = np.zeros(canvas, np.uint8), np.zeros(canvas, np.uint8)
        if _place_objects(image, (labels, things), classes, (size, style), rng):
            break
        # Where it is crowded, give up an object now and then; the first one always finds room.
        if len(classes) > 1 and rng.random() < 0.1:
            classes.pop()
    image = cv2.resize(light(image, rng), (width, height), interpolation=cv2.INTER_AREA)
    image = image + rng.normal(0, rng.uniform(1, 5), image.shape)
    mask, things = (layer[::_OVERSAMPLING, ::_OVERSAMPLING] for layer in (labels, things))
    return ToyPicture(image.clip(0, 255).astype(np.uint8), _with_border(mask), things)


def _place_objects(
    image: np.ndarray,
    layers: tuple[np.ndarray, np.ndarray],
    classes: list[int],
    scale: tuple[int, ToyStyle],
    rng: Generator,
) -> bool:
    """Draw the objects and what stands before them; False if one of them cannot be told."""
    labels, instances = layers
    parts = np.zeros(labels.shape, np.uint8)
    drawn_pixels = []
    size, style = scale
    shrink = len(classes) ** -0.3
    for number, label in enumerate(classes, start=1):
        place = _random_pose(labels.shape, size * shrink, style.object_size, rng)
        shapes = object_shapes(label, rng)
        if not all(_inside(place(shape.points), labels.shape) for shape in shapes if shape.part):
            return False
        coat = draw_coat(label in ANIMALS, labels.shape, rng)
        for shape in shapes:
            mask = _fill(place(shape.points), labels.shape)
            image[mask] = coat[mask] if shape.color is None else shape.color
            labels[mask] = label
            instances[mask] = number
            parts[mask] = number * shape.part
        drawn_pixels.append((np.sum(instances == number), np.sum(parts == number)))
    if rng.random() < 0.35:
        covered = draw_occluder(image, (labels, parts), rng)
        instances[covered] = OCCLUDER
    return all(
        np.sum(instances == number) > 0.5 * whole and np.sum(parts == number) > 0.8 * part
        for number, (whole, part) in enumerate(drawn_pixels, start=1)
    )


def _random_pose(
    canvas: tuple[int, ...], size: float, half_width: tuple[float, float], rng: Generator
) -> Callable[[np.ndarray], np.ndarray]:
    """A map from an object's frame to canvas pixels: mirrored, turned, stretched, moved."""
    height, width = canvas
    scale = rng.uniform(*half_width) * size * _OVERSAMPLING
    angle = rng.normal(0, 0.16)
    mirror = 1 if rng.random() < 0.5 else -1
    stretch = np.array([mirror * rng.uniform(0.85, 1.15), rng.uniform(0.85, 1.15)])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    center = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.3, 0.8) * height])
    return lambda points: (points * stretch * scale) @ turn.T + center


def _inside(points: np.ndarray, canvas: tuple[int, ...]) -> bool:
    return bool((points >= 0).all() and (points <= (canvas[1], canvas[0])).all())


def _fill(points: np.ndarray, canvas: tuple[int, ...]) -> np.ndarray:
    polygon = np.round(points * 16).astype(np.int32)
    return cv2.fillPoly(np.zeros(canvas, np.uint8), [polygon], 1, shift=4) > 0


def _with_border(mask: np.ndarray) -> np.ndarray:
    bordered = mask.copy()
    bordered[:, 1:][mask[:, 1:] != mask[:, :-1]] = IGNORE
    bordered[1:][mask[1:] != mask[:-1]] = IGNORE
    return bordered
