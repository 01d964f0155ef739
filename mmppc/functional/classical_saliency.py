"""Saliency maps of single pictures without a learned detector: weaker, but nothing has to be installed or trained."""

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter


def spectral_residual(grey: np.ndarray, blur: float = 4.0) -> np.ndarray:
    """What is unusual in the spectrum of a picture (Hou and Zhang, CVPR 2007).

    The log amplitude less its local mean goes back with the phase; the energy there is smoothed. It finds small objects
    and outlines, not the inside of large ones.

    Args:
        grey: (h, w) in [0, 1]; the method wants it small, about 64 pixels on the long side.
        blur: Standard deviation of the smoothing in pixels.

    Returns:
        (h, w) float32 in [0, 1], stretched to that range; zeros where nothing differs.
    """
    spectrum = np.fft.fft2(grey.astype(np.float64))
    amplitude = np.log(np.abs(spectrum) + 1e-9)
    residual = amplitude - uniform_filter(amplitude, 3, mode='wrap')
    energy = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    return _stretch(gaussian_filter(energy, blur)) if np.ptp(grey) else np.zeros_like(energy, 'f4')


def border_contrast(
    picture: np.ndarray, border: float = 0.1, blur: float = 3.0, centre: float = 1.0
) -> np.ndarray:
    """How far each colour is from those along the picture's border, more so near the centre.

    Photographers put objects in the middle and the scene around them. The distance to each of the four sides is that of
    Mahalanobis, and the largest one is left out, for an object may cut that side.

    Args:
        picture: (h, w, 3) CIELAB, L in 0 .. 100; about 128 pixels on the long side are enough.
        border: Width of the sides as a share of the shorter side.
        blur: Standard deviation of the smoothing in pixels.
        centre: How fast the weight falls from the centre, exp(-centre r^2), with r 1 at the middle of a side.

    Returns:
        (h, w) float32 in [0, 1], stretched to that range; zeros where nothing differs.
    """
    picture = picture.astype(np.float64)
    height, width = picture.shape[:2]
    thick = max(1, round(border * min(height, width)))
    sides = (picture[:thick], picture[-thick:], picture[:, :thick], picture[:, -thick:])
    distances = np.stack([_distance(picture, side.reshape(-1, 3)) for side in sides])
    contrast = gaussian_filter(distances.sum(axis=0) - distances.max(axis=0), blur)
    y, x = (2 * (np.arange(side) + 0.5) / side - 1 for side in (height, width))
    return _stretch(_stretch(contrast) * np.exp(-centre * (y[:, None] ** 2 + x**2)))


def _distance(picture: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Mahalanobis distance of each pixel to a set of colours (P, 3), at most 1."""
    away = colours - colours.mean(axis=0)
    # Noise of about three units, so that a side of one colour has a distance too.
    inverse = np.linalg.inv(away.T @ away / len(colours) + 10 * np.eye(3))
    off = picture - colours.mean(axis=0)
    distance = np.sqrt(np.einsum('hwi,ij,hwj->hw', off, inverse, off))
    return distance / (distance.max() or 1)


def _stretch(values: np.ndarray) -> np.ndarray:
    span = np.ptp(values)
    if span < 1e-12:
        return np.zeros(values.shape, np.float32)
    return ((values - values.min()) / span).astype(np.float32)
