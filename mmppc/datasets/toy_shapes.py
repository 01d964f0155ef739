"""The objects of the toy set as polygons: three animals on one body, three vehicles on another.

Fur, paint, pose and size are drawn from the same ranges for all classes of a body, so only the
head, the sign, the cross or the arm tells the class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

TOY_CLASSES = ('background', 'cat', 'dog', 'cow', 'taxi', 'ambulance', 'digger')
ANIMALS = (1, 2, 3)

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Shape:
    """A polygon of an object in its own frame: the body is about 2 wide, y points down."""

    points: np.ndarray  # (K, 2)
    color: Color | None  # RGB; None: the coat of the body
    part: bool = False  # does it tell the class?


def object_shapes(label: int, rng: Generator) -> list[Shape]:
    """Polygons of an object of class ``label``, back to front."""
    body = _animal_body(rng) if label in ANIMALS else _vehicle_body(rng)
    part = (_cat_head, _dog_head, _cow_head, _taxi_sign, _ambulance_cross, _digger_arm)[label - 1]
    return body + [Shape(points, color, part=True) for points, color in part()]


def _animal_body(rng: Generator) -> list[Shape]:
    leg = rng.uniform(0.75, 1.0)
    swing = rng.uniform(-0.12, 0.12)
    shapes = [_polygon((-0.9, -0.3), (-1.3, rng.uniform(-0.6, 0.2)), (-0.85, -0.1))]
    for x, side in ((-0.72, 1), (-0.45, -1), (0.4, 1), (0.66, -1)):
        foot = x + swing * side
        shapes.append(
            _polygon((x - 0.1, 0.2), (x + 0.1, 0.2), (foot + 0.09, leg), (foot - 0.09, leg))
        )
    shapes.append(_ellipse(0, 0, 0.98, 0.48))
    shapes.append(_polygon((0.45, -0.35), (0.85, 0.15), (1.2, -0.5), (0.9, -0.75)))
    return [Shape(points, None) for points in shapes]


def _vehicle_body(rng: Generator) -> list[Shape]:
    roof = rng.uniform(-0.62, -0.5)
    red, green, blue = (int(v) for v in rng.integers((120, 150, 160), (170, 200, 215)))
    hull = _polygon(
        (-1.1, -0.1),
        (-0.75, -0.15),
        (-0.6, roof),
        (0.5, roof),
        (0.72, -0.12),
        (1.1, 0),
        (1.1, 0.5),
        (-1.1, 0.5),
    )
    shapes = [Shape(hull, None)]
    for left, right in ((-0.55, -0.08), (0.0, 0.46)):
        window = _polygon(
            (left, roof + 0.1), (right, roof + 0.1), (right + 0.05, -0.15), (left - 0.05, -0.15)
        )
        shapes.append(Shape(window, (red, green, blue)))
    for x in (-0.65, 0.65):
        shapes.append(Shape(_ellipse(x, 0.5, 0.24, 0.24), (35, 35, 38)))
        shapes.append(Shape(_ellipse(x, 0.5, 0.11, 0.11), (150, 150, 150)))
    return shapes


def _cat_head() -> list[tuple[np.ndarray, Color]]:
    orange, eye = (236, 130, 30), (40, 190, 60)
    return [
        (_polygon((0.75, -0.7), (0.78, -1.25), (1.05, -0.9)), orange),
        (_polygon((1.38, -0.7), (1.35, -1.25), (1.08, -0.9)), orange),
        (_ellipse(1.06, -0.65, 0.36, 0.32), orange),
        (_ellipse(0.94, -0.7, 0.08, 0.07), eye),
        (_ellipse(1.18, -0.7, 0.08, 0.07), eye),
    ]


def _dog_head() -> list[tuple[np.ndarray, Color]]:
    dark, muzzle = (60, 45, 110), (240, 235, 245)
    return [
        (_ellipse(1.06, -0.65, 0.36, 0.34), dark),
        (_ellipse(0.72, -0.5, 0.13, 0.34), dark),
        (_ellipse(1.4, -0.5, 0.13, 0.34), dark),
        (_ellipse(1.06, -0.5, 0.19, 0.17), muzzle),
        (_ellipse(1.06, -0.56, 0.07, 0.06), (20, 20, 20)),
    ]


def _cow_head() -> list[tuple[np.ndarray, Color]]:
    white, pink, horn = (245, 245, 240), (245, 120, 160), (25, 25, 25)
    return [
        (_polygon((0.8, -0.75), (0.62, -1.2), (0.98, -0.9)), horn),
        (_polygon((1.32, -0.75), (1.5, -1.2), (1.14, -0.9)), horn),
        (_ellipse(1.06, -0.6, 0.31, 0.38), white),
        (_ellipse(1.06, -0.38, 0.26, 0.2), pink),
    ]


def _taxi_sign() -> list[tuple[np.ndarray, Color]]:
    shapes: list[tuple[np.ndarray, Color]] = []
    for row in range(2):
        for column in range(4):
            x, y = -0.47 + 0.22 * column, -1.0 + 0.22 * row
            color = (250, 215, 20) if (row + column) % 2 == 0 else (20, 20, 20)
            shapes.append((_box(x, y, x + 0.23, y + 0.23), color))
    return shapes


def _ambulance_cross() -> list[tuple[np.ndarray, Color]]:
    red = (225, 20, 40)
    return [
        (_box(-0.33, -0.22, 0.37, 0.44), (250, 250, 250)),
        (_box(-0.25, 0.02, 0.29, 0.2), red),
        (_box(-0.07, -0.16, 0.11, 0.38), red),
        (_box(-0.2, -0.78, 0.16, -0.56), (30, 70, 250)),
    ]


def _digger_arm() -> list[tuple[np.ndarray, Color]]:
    orange, steel = (250, 160, 0), (60, 70, 80)
    return [
        (_polygon((0.55, -0.2), (1.05, -1.0), (1.22, -0.88), (0.78, -0.1)), orange),
        (_polygon((1.02, -1.02), (1.22, -1.05), (1.5, -0.3), (1.32, -0.22)), orange),
        (_polygon((1.18, -0.32), (1.62, -0.32), (1.52, 0.06), (1.12, -0.02)), steel),
    ]


def _polygon(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, dtype=np.float64)


def _box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return _polygon((left, top), (right, top), (right, bottom), (left, bottom))


def _ellipse(x: float, y: float, radius_x: float, radius_y: float) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack([x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)], axis=1)
