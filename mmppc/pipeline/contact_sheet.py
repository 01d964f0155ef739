"""What every stage made of a few pictures, side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mmppc.refinement.masks import seed_labels
from mmppc.storage.atomic import atomic_write
from mmppc.storage.masks import load_mask
from mmppc.storage.pictures import read_picture
from mmppc.storage.seeds import load_seed
from mmppc.visualization.overlay import heat_colours, overlay, paint_mask

COLUMNS = ('picture', 'truth', 'CAM heat', 'seed', 'mask', 'prediction')
HEADER = 18
HEAT_OPACITY = 0.5
MASK_OPACITY = 0.65


def _heat(picture: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Picture (H, W, 3) uint8 under the strongest of its scores (K, H, W) in [0, 1] as heat."""
    strongest = scores.max(axis=0) if len(scores) else np.zeros(picture.shape[:2], np.float32)
    return overlay(picture, heat_colours(strongest), HEAT_OPACITY)


def _row(
    paths: Mapping[str, Path | None], threshold: float, palette: np.ndarray
) -> list[np.ndarray | None]:
    """The cells of one picture, None where there is no file."""
    source = paths['picture']
    if source is None:
        raise ValueError('a row of the contact sheet needs its picture, found None')
    picture = read_picture(source)
    cells: list[np.ndarray | None] = [picture]

    def masked(name: str) -> np.ndarray | None:
        path = paths.get(name)
        if path is None or not path.is_file():
            return None
        return overlay(picture, paint_mask(load_mask(path), palette), MASK_OPACITY)

    cells.append(masked('truth'))
    seed_path = paths.get('seed')
    if seed_path is not None and seed_path.is_file():
        seed = load_seed(seed_path)
        labels = seed_labels(seed, threshold)
        cells.append(_heat(picture, seed.scores))
        cells.append(overlay(picture, paint_mask(labels, palette), MASK_OPACITY))
    else:
        cells += [None, None]
    return [*cells, masked('mask'), masked('prediction')]


def write_contact_sheet(
    path: Path,
    pictures: Sequence[Mapping[str, Path | None]],
    *,
    threshold: float,
    palette: Sequence[Sequence[int]],
    side: int = 160,
) -> None:
    """Write a sheet with one row a picture: picture, truth, CAM heat, seed, mask, prediction.

    Args:
        path: PNG to write.
        pictures: Files of each row under ``picture``, ``truth``, ``seed``, ``mask`` and ``prediction``; missing ones
            leave their cell empty.
        threshold: Background threshold of the seed's cell.
        palette: Colours of the classes, background first.
        side: Width and height of a cell in pixels; pictures are fitted into it.
    """
    colours = np.asarray(palette, np.uint8)
    sheet = Image.new('RGB', (side * len(COLUMNS), HEADER + side * len(pictures)), 'white')
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(COLUMNS):
        draw.text((column * side + 4, 3), name, fill='black')
    for row, paths in enumerate(pictures):
        for column, cell in enumerate(_row(paths, threshold, colours)):
            if cell is None:
                continue
            fitted = Image.fromarray(cell)
            fitted.thumbnail((side - 4, side - 4))
            if max(fitted.size) < side - 4:
                scale = (side - 4) / max(fitted.size)
                width, height = fitted.size
                fitted = fitted.resize(
                    (max(round(width * scale), 1), max(round(height * scale), 1))
                )
            sheet.paste(fitted, (column * side + 2, HEADER + row * side + 2))
    with atomic_write(path) as temporary:
        sheet.save(temporary, format='PNG')
