"""The dense CRF with all labels explicit, by pydensecrf's own helpers, as the published code calls it."""

import numpy as np

from mmppc.functional.dense_crf import CRFPreset


def plain_unary(labels: np.ndarray, num_labels: int, confidence: float) -> np.ndarray:
    """Unary (L, H W) of a hard label map (H, W)."""
    from pydensecrf.utils import unary_from_labels

    return unary_from_labels(labels, num_labels, gt_prob=confidence, zero_unsure=False)


def plain_crf(image: np.ndarray, unary: np.ndarray, preset: CRFPreset) -> np.ndarray:
    """Marginals (L, H, W) for an image (H, W, 3) uint8 and a unary (L, H W)."""
    from pydensecrf import densecrf, utils

    height, width = image.shape[:2]
    crf = densecrf.DenseCRF2D(width, height, len(unary))
    crf.setUnaryEnergy(np.ascontiguousarray(unary, np.float32))
    near, far, colour = preset.smooth_xy, preset.bilateral_xy, preset.bilateral_rgb
    image = np.ascontiguousarray(image)
    if preset.axes == 'xy':
        crf.addPairwiseGaussian(sxy=near, compat=preset.smooth_weight)
        crf.addPairwiseBilateral(sxy=far, srgb=colour, rgbim=image, compat=preset.bilateral_weight)
    else:
        smooth = utils.create_pairwise_gaussian((near, near), (height, width))
        bilateral = utils.create_pairwise_bilateral((far, far), (colour,) * 3, image, chdim=2)
        crf.addPairwiseEnergy(smooth, compat=preset.smooth_weight)
        crf.addPairwiseEnergy(bilateral, compat=preset.bilateral_weight)
    return np.array(crf.inference(preset.iterations)).reshape(-1, height, width)
