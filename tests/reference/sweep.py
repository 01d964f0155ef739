"""Threshold sweep of seeds as published: one whole evaluation per threshold."""

import numpy as np

IGNORED = 255


def literal_sweep(scores, targets, thresholds):
    """IoU of every class at every threshold.

    Args:
        scores: One (C, H, W) array a picture, foreground classes only, 0 where absent.
        targets: One (H, W) array of labels 0 (background) .. C or 255 (ignored) a picture.
        thresholds: Background scores to try, T of them, in the precision of the scores (at least
            float32, as published). A foreground score equal to the threshold loses.

    Returns:
        (T, 1 + C) float64.
    """
    num_classes = 1 + len(scores[0])
    iou = np.zeros((len(thresholds), num_classes))
    for t, threshold in enumerate(thresholds):
        hit, truth, predicted = (np.zeros(num_classes) for _ in range(3))
        for maps, target in zip(scores, targets):
            maps, target = np.asarray(maps), np.asarray(target)
            maps = maps.astype(np.promote_types(maps.dtype, np.float32))
            background = np.full((1, *maps.shape[1:]), threshold, maps.dtype)
            label = np.concatenate([background, maps]).argmax(0)
            valid = target != IGNORED
            for c in range(num_classes):
                hit[c] += np.sum((label == c) & (target == c) & valid)
                truth[c] += np.sum((target == c) & valid)
                predicted[c] += np.sum((label == c) & valid)
        for c in range(num_classes):
            iou[t, c] = hit[c] / (truth[c] + predicted[c] - hit[c] + 1e-10)
    return iou
