"""A network's contrast and gradients on pictures with truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmppc.functional.contrast_quality import (
    QualityCounts,
    count_quality,
    prototype_pixels,
    settle_truth,
    truth_maps,
)
from mmppc.functional.contrast_view import build_view, label_pixels
from mmppc.functional.distributed import Ranks
from mmppc.models.losses import PixelPrototypeContrastLoss
from mmppc.models.segmentors import CAMSegmentor
from mmppc.models.views import resize_maps

Packed = tuple[Tensor, list[SegDataSample]]
"""Inputs (N, 3, H, W) and their samples, with ``gt_tags`` and ``gt_sem_seg``."""


def find_contrast(network: CAMSegmentor) -> PixelPrototypeContrastLoss:
    """The contrast among a network's losses.

    Raises:
        ValueError: There is none, or more than one.
    """
    found = [
        loss for loss in network.losses.values() if isinstance(loss, PixelPrototypeContrastLoss)
    ]
    if len(found) != 1:
        raise ValueError(
            f'model.losses has {len(found)} PixelPrototypeContrastLoss ({sorted(network.losses)}), expected one. '
            "To look at a training without contrast, add it with LossRampHook(loss='contrast', begin=1, end=1)"
        )
    return found[0]


@torch.no_grad()
def inspect_contrast(
    network: CAMSegmentor, batches: Iterable[Sequence[Packed]]
) -> tuple[list[QualityCounts], tuple[int, int]]:
    """Compare pseudo labels and prototypes with the truth.

    Args:
        network: In test mode. Only this process takes part.
        batches: Batches whose pictures share prototypes, each in parts that go through the network by themselves.

    Returns:
        Sums over all batches, one a view, and the grid (h, w) of the contrast.
    """
    contrast = find_contrast(network)
    totals: list[QualityCounts] = []
    grid = (0, 0)
    for batch in batches:
        parts = [_on_grid(network, contrast, *packed) for packed in batch]
        grid = (parts[0].truth.shape[-2], parts[0].truth.shape[-1])
        counts = _count(_join(parts), contrast)
        totals = [a + b for a, b in zip(totals, counts)] if totals else counts
    return totals, grid


@dataclass(frozen=True)
class _Part:
    """Some pictures on the contrast's grid: features and maps of each view, tags, covered cells, truth."""

    features: Sequence[Tensor]
    cams: Sequence[Tensor]
    tags: Tensor
    valid: Tensor | None
    truth: Tensor


def _on_grid(
    network: CAMSegmentor,
    contrast: PixelPrototypeContrastLoss,
    inputs: Tensor,
    samples: list[SegDataSample],
) -> _Part:
    truth = torch.stack([sample.gt_sem_seg.data[0] for sample in samples])
    views = network.forward_views(inputs)
    features, cams, valid = contrast.on_common_grid(views)
    warp = views[-1].warp or resize_maps
    grid = (cams[-1].shape[-2], cams[-1].shape[-1])
    cells = settle_truth(warp(truth_maps(truth, network.num_classes), grid))
    return _Part(features, cams, network.tags_of(samples), valid, cells)


def _join(parts: Sequence[_Part]) -> _Part:
    """One part of all pictures; all parts have a mask of covered cells, or none has."""
    valid = [part.valid for part in parts if part.valid is not None]
    return _Part(
        [torch.cat(maps) for maps in zip(*(part.features for part in parts))],
        [torch.cat(maps) for maps in zip(*(part.cams for part in parts))],
        torch.cat([part.tags for part in parts]),
        torch.cat(valid) if valid else None,
        torch.cat([part.truth for part in parts]),
    )


def _count(part: _Part, contrast: PixelPrototypeContrastLoss) -> list[QualityCounts]:
    options = replace(contrast.options, sync_prototypes=False)
    alone = Ranks(sync=False)
    counts = []
    for features, cams in zip(part.features, part.cams):
        features, cams = features.float(), cams.float()
        view = build_view(features, cams, part.tags, None, part.valid, options, alone)
        labelled = label_pixels(cams, part.tags, None, part.valid, options, alone)
        picked = prototype_pixels(labelled.scores, labelled.candidates, options.topk, options.ties)
        counts.append(
            count_quality(
                view.embeddings,
                view.labels,
                view.prototypes,
                view.valid,
                part.truth.flatten(),
                picked,
            )
        )
    return counts


def gradient_norms(
    network: CAMSegmentor, inputs: Tensor, samples: list[SegDataSample]
) -> dict[str, float]:
    """L2 norms of the gradients of each loss at the last trainable layer of the backbone.

    No gradient is kept. Only this process takes part.

    Args:
        network: In the mode to look at.
        inputs: Pictures (N, 3, H, W).
        samples: Theirs, with tags and what the losses need.

    Returns:
        By the name of a loss, and by those of its terms if it has several; not a number where the network has diverged.
        Empty if the backbone does not train.
    """
    weight = last_trainable(network.backbone)
    if weight is None:
        return {}
    norms: dict[str, float] = {}
    with torch.enable_grad(), _alone(find_contrast(network)):
        views = network.forward_views(inputs, network.saliency_of(samples))
        for name, terms in network.loss_terms(views, network.tags_of(samples)).items():
            gradients = {key: _gradient(value, weight) for key, value in terms.items()}
            norms[name] = float(torch.stack(list(gradients.values())).sum(dim=0).norm())
            if len(gradients) > 1:
                norms.update({key: float(value.norm()) for key, value in gradients.items()})
    return norms


def last_trainable(module: nn.Module) -> nn.Parameter | None:
    """The weight of the last registered layer that trains, biases and norms aside."""
    weights = [p for p in module.parameters() if p.requires_grad and p.dim() > 1]
    return weights[-1] if weights else None


def _gradient(value: Tensor, weight: nn.Parameter) -> Tensor:
    if not value.requires_grad:
        return torch.zeros_like(weight)
    (gradient,) = torch.autograd.grad(value, weight, retain_graph=True, allow_unused=True)
    return torch.zeros_like(weight) if gradient is None else gradient


@contextmanager
def _alone(contrast: PixelPrototypeContrastLoss) -> Iterator[None]:
    """The contrast without the other processes, which do not take part."""
    options = contrast.options
    contrast.options = replace(options, sync_prototypes=False)
    try:
        yield
    finally:
        contrast.options = options
