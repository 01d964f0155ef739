"""Colours of heat and masks, as numbers."""

import cv2
import numpy as np
import pytest

from mmppc.visualization.overlay import TURBO, heat_colours, overlay, paint_mask


def test_heat_is_turbo() -> None:
    reference = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)
    expected = reference[:, 0, ::-1].astype(int)
    assert np.abs(TURBO.astype(int) - expected).max() <= 6
    heat = np.array([[0, 1], [0.2, 1.0004]])
    assert heat_colours(heat).tolist() == [
        [[48, 18, 59], [122, 4, 3]],
        [TURBO[51].tolist(), [122, 4, 3]],
    ]


@pytest.mark.parametrize(
    'wrong', [np.array([[1.1]]), np.array([[-0.1]]), np.array([[np.nan]]), np.zeros(3)]
)
def test_heat_outside_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r'heat map .* expected'):
        heat_colours(wrong)


def test_overlay_mixes() -> None:
    picture = np.full((1, 2, 3), 100, np.uint8)
    colours = np.array([[[200, 0, 100], [0, 0, 0]]], np.uint8)
    assert overlay(picture, colours, 0.25).tolist() == [[[125, 75, 100], [75, 75, 75]]]
    assert overlay(picture, colours, np.array([[0.0, 1.0]])).tolist() == [[[100] * 3, [0] * 3]]
    assert (overlay(picture, colours, 0) == picture).all()
    with pytest.raises(ValueError, match=r'picture \(1, 2, 3\) and colours \(1, 1, 3\)'):
        overlay(picture, colours[:, :1])
    with pytest.raises(ValueError, match='opacity'):
        overlay(picture, colours, 1.5)
    with pytest.raises(ValueError, match='opacity'):
        overlay(picture, colours, np.zeros((2, 1)))


def test_paint_mask() -> None:
    palette = [(0, 0, 0), (1, 2, 3)]
    mask = np.array([[0, 1, 255]])
    assert paint_mask(mask, palette).tolist() == [[[0, 0, 0], [1, 2, 3], [224, 224, 192]]]
    with pytest.raises(ValueError, match=r'mask holds \[2\], expected classes 0 .. 1 or 255'):
        paint_mask(np.array([[2]]), palette)
    with pytest.raises(ValueError, match='expected'):
        paint_mask(np.zeros((1, 1)), palette)
