import numpy as np
import pytest
from scipy.ndimage import shift

from mmppc.functional.classical_saliency import border_contrast, spectral_residual


def scene(height=48, width=64, box=(16, 30, 24, 40)):
    """A noisy Lab scene with an object of another colour in ``box`` (top, bottom, left, right)."""
    noise = np.random.default_rng(0).normal(0, 2, (height, width, 3))
    picture = np.array([50.0, 0.0, 10.0]) + noise
    top, bottom, left, right = box
    picture[top:bottom, left:right] += (10, 40, 0)
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return picture, mask


class TestBorderContrast:
    def test_finds_the_object(self):
        picture, mask = scene()
        saliency = border_contrast(picture)
        assert (saliency.dtype, saliency.shape) == (np.float32, mask.shape)
        assert (saliency.min(), saliency.max()) == (0, 1)
        assert np.mean((saliency > 0.5) == mask) > 0.95

    @pytest.mark.parametrize('box', [(0, 24, 20, 44), (24, 48, 20, 44), (14, 34, 0, 24)])
    def test_an_object_may_cut_one_side(self, box):
        picture, mask = scene(box=box)
        saliency = border_contrast(picture, centre=0)
        assert saliency[mask].mean() > 0.6
        assert saliency[~mask].mean() < 0.25

    def test_does_not_depend_on_the_units_of_the_colours(self):
        """Mahalanobis's distance: where noise outweighs the added units, channels may be scaled and mixed."""
        picture, _ = scene()
        mixed = picture @ np.array([[300, 0, 0], [80, 200, 0], [0, 50, 400.0]])
        np.testing.assert_allclose(
            border_contrast(1000 * picture), border_contrast(mixed), atol=1e-3
        )

    def test_weight_of_the_centre(self):
        picture, _ = scene(box=(16, 30, 4, 16))
        picture[16:30, 28:40] += (10, 40, 0)
        saliency = border_contrast(picture, centre=2)
        assert saliency[23, 34] > 1.5 * saliency[23, 10]


class TestSpectralResidual:
    def test_steps(self):
        """The formula of the paper, without the smoothing, one frequency after the other."""
        grey = np.random.default_rng(1).random((6, 5))
        spectrum = np.fft.fft2(grey)
        amplitude = np.log(np.abs(spectrum))
        changed = np.zeros_like(spectrum)
        for i in range(6):
            for j in range(5):
                near = [amplitude[(i + a) % 6, (j + b) % 5] for a in (-1, 0, 1) for b in (-1, 0, 1)]
                unit = spectrum[i, j] / abs(spectrum[i, j])
                changed[i, j] = np.exp(amplitude[i, j] - np.mean(near)) * unit
        energy = np.abs(np.fft.ifft2(changed)) ** 2
        expected = (energy - energy.min()) / np.ptp(energy)
        np.testing.assert_allclose(spectral_residual(grey, blur=0), expected, atol=1e-5)

    def test_moves_with_the_picture(self):
        grey = np.random.default_rng(2).random((16, 20))
        moved = shift(grey, (3, 5), order=0, mode='grid-wrap')
        expected = shift(spectral_residual(grey, blur=0), (3, 5), order=0, mode='grid-wrap')
        np.testing.assert_allclose(spectral_residual(moved, blur=0), expected, atol=1e-5)


@pytest.mark.parametrize('shape', [(1, 1), (1, 7), (30, 2), (3, 3)])
def test_tiny_and_constant_pictures(shape):
    for picture in (np.zeros((*shape, 3)), np.full((*shape, 3), 0.7)):
        assert not border_contrast(picture).any()
        assert not spectral_residual(picture[..., 0]).any()
    noise = np.random.default_rng(3).random((*shape, 3))
    for saliency in (border_contrast(100 * noise), spectral_residual(noise[..., 0])):
        assert saliency.shape == shape
        assert np.isfinite(saliency).all()
        assert 0 <= saliency.min() <= saliency.max() <= 1
