"""EPS's saliency loss, class by class and pixel by pixel, in its own order: the background is the LAST channel."""

import torch


def literal_nearest(maps, size):
    """The pixel at floor(i H / h), as torch's nearest interpolation takes it. (N, 1, H, W) -> size."""
    height, width = maps.shape[-2:]
    rows = [i * height // size[0] for i in range(size[0])]
    columns = [j * width // size[1] for j in range(size[1])]
    return maps[:, :, rows][:, :, :, columns]


def literal_saliency_iou(probability, saliency, counts):
    """Intersection of two rounded maps (h, w) over the pixels of the first, 1e-4 added to each."""
    intersection, area = 0.0, 0.0
    for i in range(probability.shape[0]):
        for j in range(probability.shape[1]):
            if counts[i, j]:
                p, s = round(probability[i, j].item()), round(saliency[i, j].item())
                intersection += p * s
                area += p + 1e-4
    return intersection / area if area else 0.0


def literal_saliency_loss(logits, saliency, tags, threshold, mix, valid=None):
    """logits (N, C+1, h, w), background last; tags (N, C); saliency (N, 1, H, W); valid (N, 1, h, w)."""
    num, channels, height, width = logits.shape
    saliency = literal_nearest(saliency, (height, width))
    if valid is None:
        valid = torch.ones_like(saliency, dtype=torch.bool)
    total = 0.0
    for n in range(num):
        exponentials = torch.exp(logits[n] - logits[n].max().detach())
        probability = exponentials / exponentials.sum(0)
        foreground = torch.zeros_like(probability[0])
        background = probability[channels - 1]
        for k in range(channels - 1):
            if not tags[n, k]:
                continue
            iou = literal_saliency_iou(probability[k].detach(), saliency[n, 0], valid[n, 0])
            if iou > threshold:
                foreground = foreground + probability[k]
            else:
                background = background + probability[k]
        estimate = mix * foreground + (1 - mix) * (1 - background)
        error, pixels = 0.0, 0
        for i in range(height):
            for j in range(width):
                if valid[n, 0, i, j]:
                    error = error + (estimate[i, j] - saliency[n, 0, i, j]) ** 2
                    pixels += 1
        total = total + error / max(pixels, 1)
    return total / num
