"""Sheets of pictures, as numbers."""

import numpy as np
import pytest

from mmppc.visualization.overlay import heat_colours, overlay
from mmppc.visualization.sheet import (
    Legend,
    Panel,
    draw_sheet,
    edges,
    heat_panel,
    mask_panel,
    shrink_heat,
    shrink_mask,
    shrink_picture,
)

PALETTE = [[0, 0, 0], [200, 0, 0], [0, 0, 200]]
WHITE = [255, 255, 255]


def plain(*colour: int, height: int = 50, width: int = 100) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def test_edges_lie_inside_the_larger_label() -> None:
    labels = np.array([[0, 0, 2, 2, 2], [0, 0, 2, 2, 1]])
    assert edges(labels).astype(int).tolist() == [[0, 0, 1, 0, 1], [0, 0, 1, 1, 0]]
    assert edges(labels, 2)[0].astype(int).tolist() == [0, 0, 1, 1, 1]
    assert not edges(np.ones((3, 3), int)).any()


def test_heat_has_a_line_along_the_threshold() -> None:
    picture = plain(100, 100, 100, height=1, width=4)
    heat = np.array([[0.0, 0.5, 0.6, 1.0]])
    panel = heat_panel('a', picture, heat, 0.5)
    assert panel.picture[0, 2].tolist() == WHITE  # the first above it
    expected = overlay(picture, heat_colours(heat), 0.3 + 0.3 * heat)
    assert (panel.picture[0, [0, 1, 3]] == expected[0, [0, 1, 3]]).all()
    assert (heat_panel('a', picture, heat, None).picture == expected).all()


def test_masks_leave_the_background_as_it_is() -> None:
    picture = plain(100, 100, 100, height=3, width=5)
    mask = np.zeros((3, 5), np.uint8)
    mask[:, 2:] = 1
    shown = mask_panel('m', picture, mask, PALETTE).picture
    assert shown[1, 0].tolist() == [100, 100, 100]
    assert shown[1, 2].tolist() == WHITE
    assert shown[1, 4].tolist() == [155, 45, 45]  # 0.45 of the picture, 0.55 of the class


def test_panels_stand_in_rows_under_their_titles() -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    panels = [Panel('abc', plain(*colour)) for colour in colours]
    sheet = draw_sheet(panels, side=100)
    assert sheet.shape == (6 + 50 + 20 + 6, 6 + 3 * 106, 3)
    for k, colour in enumerate(colours):
        assert sheet[50, 6 + 106 * k + 50].tolist() == list(colour)
    assert (sheet[6:26] < 128).all(axis=2).any()  # letters
    four = draw_sheet([*panels, panels[0]], side=100)
    assert four.shape[1] == 6 + 2 * 106
    assert four[50 + 76, 6 + 50].tolist() == [0, 0, 200]


def test_small_and_large_pictures_are_brought_to_one_size() -> None:
    small = draw_sheet([Panel('a', plain(9, 9, 9, height=5, width=10))], side=200)
    large = draw_sheet([Panel('a', plain(9, 9, 9, height=500, width=1000))], side=200)
    assert small.shape == large.shape == (6 + 100 + 26, 6 + 206, 3)


def test_legend_names_classes_and_the_threshold() -> None:
    panels = [Panel('a', plain(9, 9, 9))]
    bare = draw_sheet(panels, side=300)
    legend = Legend(
        heat=True,
        threshold=0.4,
        classes=[('Käse', (200, 0, 0)), ('cat', (0, 0, 200))],
        notes=['words'],
    )
    sheet = draw_sheet(panels, legend, side=300)
    assert sheet.shape[0] == bare.shape[0] + 3 * 20 + 6
    footer = sheet[bare.shape[0] :]
    assert (footer == [200, 0, 0]).all(axis=2).sum() == 11 * 11
    assert (footer == [0, 0, 200]).all(axis=2).sum() == 11 * 11
    assert (footer == heat_colours(np.array([[1.0]]))[0, 0]).all(axis=2).any()
    assert (sheet[: bare.shape[0]] == bare).all()


def test_long_texts_stay_on_the_sheet() -> None:
    words = 'word ' * 100
    legend = Legend(classes=[('x' * 500, (1, 2, 3))], notes=[words, 'y' * 500])
    sheet = draw_sheet([Panel('z' * 500, plain(9, 9, 9))], legend, side=200)
    assert sheet.shape[1] == 6 + 206
    assert (sheet[:, -3:] == 255).all()


def test_wrong_panels_are_refused() -> None:
    with pytest.raises(ValueError, match='at least one, all of one size'):
        draw_sheet([])
    with pytest.raises(ValueError, match='all of one size'):
        draw_sheet([Panel('a', plain(1, 1, 1)), Panel('b', plain(1, 1, 1, width=9))])
    with pytest.raises(ValueError, match='side=3'):
        draw_sheet([Panel('a', plain(1, 1, 1))], side=3)


def test_shrinking_keeps_what_is_small_and_the_classes() -> None:
    picture = plain(7, 8, 9)
    assert shrink_picture(picture, 100) is picture
    assert shrink_picture(picture, 20).shape == (10, 20, 3)
    assert (shrink_picture(picture, 20) == [7, 8, 9]).all()
    heat = np.repeat(np.array([[0.0, 1.0, 0.5, 0.5]]), 2, axis=0)
    assert shrink_heat(heat, 2).tolist() == [[0.5, 0.5]]
    assert shrink_heat(heat, 4) is heat
    mask = np.array([[0, 0, 0, 255, 255, 255]], np.uint8).repeat(6, axis=0)
    assert shrink_mask(mask, 2).tolist() == [[0, 255]] * 2
    assert set(np.unique(shrink_mask(mask, 4))) == {0, 255}
