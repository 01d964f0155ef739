"""SEAM's terms and the tag classification loss, map by map."""

import math

import torch


def literal_resize(maps, size):
    """Bilinear with aligned corners, one target pixel after the other. (N, K, H, W) -> size."""
    height, width = maps.shape[-2:]
    rows = []
    for i in range(size[0]):
        y = i * (height - 1) / (size[0] - 1) if size[0] > 1 else 0.0
        top = min(math.floor(y), height - 1)
        bottom, fy = min(top + 1, height - 1), y - top
        row = []
        for j in range(size[1]):
            x = j * (width - 1) / (size[1] - 1) if size[1] > 1 else 0.0
            left = min(math.floor(x), width - 1)
            right, fx = min(left + 1, width - 1), x - left
            row.append(
                (1 - fy) * (1 - fx) * maps[..., top, left]
                + (1 - fy) * fx * maps[..., top, right]
                + fy * (1 - fx) * maps[..., bottom, left]
                + fy * fx * maps[..., bottom, right]
            )
        rows.append(torch.stack(row, -1))
    return torch.stack(rows, -2)


def literal_tag_classification(logits, tags, size=None):
    """Multi-label soft margin of the averaged foreground maps, mean over pictures and classes."""
    if size is not None:
        logits = literal_resize(logits, size)
    num, channels = logits.shape[:2]
    total = 0.0
    for n in range(num):
        for c in range(1, channels):
            probability = 1 / (1 + torch.exp(-logits[n, c].mean()))
            y = float(tags[n, c - 1])
            total = total - (y * torch.log(probability) + (1 - y) * torch.log(1 - probability))
    return total / (num * (channels - 1))


def literal_max_norm(maps):
    """Each map from its lowest to its highest value, both of which receive gradient."""
    pictures = []
    for picture in torch.relu(maps):
        channels = []
        for p in picture:
            low, high = p.min(), p.max()
            channels.append(torch.relu(p - low - 1e-5) / (high - low + 1e-5))
        pictures.append(torch.stack(channels))
    return torch.stack(pictures)


def literal_mask(maps, tags):
    """Maps of absent classes to 0; the background (channel 0) is always there."""
    pictures = []
    for picture, tag in zip(maps, tags):
        channels = [picture[0]]
        for c in range(1, maps.shape[1]):
            channels.append(picture[c] * float(tag[c - 1]))
        pictures.append(torch.stack(channels))
    return torch.stack(pictures)


def literal_onehot(maps):
    """In the foreground, what is below the pixel's maximum becomes 0."""
    out = maps.detach().clone()
    num, _, height, width = maps.shape
    for n in range(num):
        for i in range(height):
            for j in range(width):
                pixel = out[n, 1:, i, j]
                pixel[pixel != pixel.max()] = 0.0
    return out


def literal_minimum_pooling(refined, tags):
    """Mean of the lowest quarter of the strongest tagged map, per view."""
    num, _, height, width = refined.shape
    lowest = height * width // 4
    total = 0.0
    for picture in literal_mask(refined, tags):
        strongest = [
            max(picture[c, i, j] for c in range(1, picture.shape[0]))
            for i in range(height)
            for j in range(width)
        ]
        strongest.sort(key=lambda t: t.item())
        for t in strongest[:lowest]:
            total = total + torch.relu(t)
    return total / (lowest * num)


def literal_seam(cams, refined, tags):
    """ER, ECR (one per direction) and minimum pooling (one per view)."""
    size = tuple(cams[1].shape[-2:])
    c1 = literal_mask(literal_resize(literal_max_norm(cams[0]), size), tags)
    c2 = literal_mask(literal_max_norm(cams[1]), tags)
    r1 = literal_mask(literal_resize(literal_max_norm(refined[0]), size), tags)
    r2 = literal_mask(literal_max_norm(refined[1]), tags)

    num, channels = c1.shape[:2]
    er = 0.0
    for n in range(num):
        for c in range(1, channels):
            er = er + torch.abs(c1[n, c] - c2[n, c]).sum()
    er = er / (num * (channels - 1) * size[0] * size[1])

    def target(maps):
        maps = maps.detach().clone()
        for n in range(num):
            for i in range(size[0]):
                for j in range(size[1]):
                    maps[n, 0, i, j] = 1 - max(maps[n, c, i, j] for c in range(1, channels))
        return literal_onehot(maps)

    def ecr(cam, rv):
        largest = int(channels * size[0] * size[1] * 0.2)
        means = []
        for n in range(num):
            errors = torch.abs(target(cam)[n] - rv[n]).flatten()
            means.append(torch.sort(errors, descending=True).values[:largest].mean())
        return sum(means) / num

    return {
        'er': er,
        'ecr': (ecr(c2, r1), ecr(c1, r2)),
        'min_pool': tuple(literal_minimum_pooling(r, tags) for r in refined),
    }
