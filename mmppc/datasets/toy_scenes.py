"""Surfaces and light of the toy set: scenes, coats of the bodies, bushes and poles before them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

SCENES = ('meadow', 'sand', 'road', 'wall', 'water')

# RGB of the two colours that a scene's texture mixes.
_SCENE_COLORS = {
    'meadow': ((60, 105, 40), (135, 165, 75)),
    'sand': ((190, 165, 115), (225, 205, 160)),
    'road': ((85, 85, 90), (125, 125, 125)),
    'wall': ((130, 80, 65), (170, 115, 90)),
    'water': ((45, 90, 125), (120, 160, 180)),
}
# Cells of the noise along (y, x) per 128 pixels: blades stand, waves lie.
_SCENE_GRAIN = {
    'meadow': (18, 60),
    'sand': (60, 60),
    'road': (50, 50),
    'wall': (30, 30),
    'water': (40, 9),
}


def draw_scene(name: str, canvas: tuple[int, int], rng: Generator) -> np.ndarray:
    """A textured background, (H, W, 3) float32 RGB in 0..255."""
    first, second = (np.array(color, np.float32) for color in _SCENE_COLORS[name])
    blend = 0.6 * smooth_noise(canvas, _SCENE_GRAIN[name], rng)
    blend += 0.4 * smooth_noise(canvas, (3, 3), rng)
    image = first + (second - first) * blend[..., None] + rng.normal(0, 9, 3).astype(np.float32)
    if name == 'wall':
        _draw_joints(image, rng)
    elif name == 'road':
        _draw_lane(image, rng)
    return image.astype(np.float32)


def _draw_joints(image: np.ndarray, rng: Generator) -> None:
    height, width = image.shape[:2]
    brick = int(rng.integers(18, 30))
    mortar = np.array((185, 175, 165), np.float32)
    for row, top in enumerate(range(-int(rng.integers(brick)), height, brick)):
        image[max(top, 0) : max(top + 3, 0)] = mortar
        for left in range((row % 2) * brick, width, 2 * brick):
            image[max(top, 0) : max(top + brick, 0), left : left + 3] = mortar


def _draw_lane(image: np.ndarray, rng: Generator) -> None:
    height, width = image.shape[:2]
    y, dash = int(rng.integers(height // 2, height)), int(rng.integers(30, 50))
    for left in range(-int(rng.integers(dash)), width, 2 * dash):
        image[y : y + 8, max(left, 0) : max(left + dash, 0)] = (215, 215, 205)


def draw_coat(animal: bool, canvas: tuple[int, int], rng: Generator) -> np.ndarray:
    """Fur or paint for a body, (H, W, 3) float32 RGB; its colour says nothing about the class."""
    if animal:
        hue, saturation, value = rng.uniform(8, 22), rng.uniform(20, 110), rng.uniform(90, 220)
        grain, contrast = (26, 9), rng.uniform(50, 90)
    else:
        hue, saturation, value = rng.uniform(0, 180), rng.uniform(15, 110), rng.uniform(110, 220)
        grain, contrast = (2, 1), rng.uniform(20, 50)
    color = cv2.cvtColor(np.array([[[hue, saturation, value]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
    texture = smooth_noise(canvas, grain, rng) - 0.5
    coat = color.astype(np.float32) + contrast * texture[..., None]
    if animal and rng.random() < 0.5:
        patches = smooth_noise(canvas, (6, 6), rng) > rng.uniform(0.55, 0.7)
        coat[patches] += rng.choice((-60, 60))
    return coat.clip(0, 255).astype(np.float32)


def draw_occluder(image: np.ndarray, labels: tuple[np.ndarray, ...], rng: Generator) -> np.ndarray:
    """A bush or a pole before everything: coloured in ``image``, zero in each of ``labels``.

    Returns:
        Where it is, (H, W) bool.
    """
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    x = int(rng.integers(width))
    if rng.random() < 0.5:
        half = int(rng.integers(4, 10))
        cv2.rectangle(mask, (x - half, int(rng.integers(height // 2))), (x + half, height), 1, -1)
        color = np.array((95, 75, 60), np.float32)
    else:
        for _ in range(6):
            spot = (x + int(rng.normal(0, width / 12)), height - int(rng.integers(height // 6)))
            cv2.circle(mask, spot, int(rng.integers(height // 16, height // 8)), 1, -1)
        color = np.array((45, 85, 40), np.float32)
    covered = mask > 0
    shade = 50 * (smooth_noise((height, width), (30, 30), rng) - 0.5)
    image[covered] = color + shade[covered][:, None]
    for label in labels:
        label[covered] = 0
    return covered


def light(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Change exposure, colour temperature and contrast, and shade the picture from one side."""
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.2)
    gain = rng.uniform(0.75, 1.15) * (1 + slope * (np.cos(angle) * x + np.sin(angle) * y))
    channels = rng.uniform(0.93, 1.07, 3)
    return 255 * (image.clip(0, 255) / 255) ** rng.uniform(0.85, 1.2) * gain[..., None] * channels


def smooth_noise(canvas: tuple[int, int], grain: tuple[int, int], rng: Generator) -> np.ndarray:
    """Noise in [0, 1], (H, W) float32, with ``grain`` cells along (y, x) per 128 canvas pixels."""
    cells = [max(2, round(g * side / 256)) for g, side in zip(grain, canvas)]
    coarse = rng.random(cells, dtype=np.float32)
    return cv2.resize(coarse, (canvas[1], canvas[0]), interpolation=cv2.INTER_LINEAR)
