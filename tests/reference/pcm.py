"""Pixel correlation (PCM), one pair of pixels after the other."""

import torch


def literal_pcm_input(cams):
    """What PCM spreads: scaled maps, per pixel only the strongest class, background = 1 - max."""
    cams = cams.detach()
    num, channels, height, width = cams.shape
    out = torch.zeros_like(cams)
    for n in range(num):
        for c in range(1, channels):
            r = [max(v, 0.0) for v in cams[n, c].flatten().tolist()]
            highest = max(r) + 1e-5
            u = [max(v - 1e-5, 0.0) / highest for v in r]
            out[n, c] = torch.tensor(u, dtype=cams.dtype).view(height, width)
        for i in range(height):
            for j in range(width):
                strongest = max(out[n, c, i, j].item() for c in range(1, channels))
                out[n, 0, i, j] = 1 - strongest
                for c in range(1, channels):
                    if out[n, c, i, j] < strongest:
                        out[n, c, i, j] = 0.0
    return out


def literal_pcm(cams, features):
    """out[c, j] = sum_i u[c, i] A[i, j] / (sum_i A[i, j] + 1e-5), A = ReLU of the cosines."""
    num, _, height, width = cams.shape
    maps = literal_pcm_input(cams)
    pictures = []
    for n in range(num):
        vectors = [features[n, :, i, j] for i in range(height) for j in range(width)]
        vectors = [f / (torch.sqrt((f * f).sum()) + 1e-5) for f in vectors]
        values = [maps[n, :, i, j] for i in range(height) for j in range(width)]
        out = []
        for there in vectors:
            total, spread = 0.0, 0.0
            for here, u in zip(vectors, values):
                affinity = torch.relu(torch.dot(here, there))
                total = total + affinity
                spread = spread + affinity * u
            out.append(spread / (total + 1e-5))
        pictures.append(torch.stack(out, -1).view(-1, height, width))
    return torch.stack(pictures)
