"""Weakly supervised pixel-to-prototype contrast (Du et al., CVPR 2022), equation by equation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from .contrast_options import ContrastOptions
from .contrast_view import IGNORED, ContrastView, build_view
from .distributed import Ranks
from .sampling import mine_prototypes, sample_pixels


def _info_nce(similarities: Tensor, labels: Tensor, negatives: Tensor) -> Tensor:
    """-log softmax of the positive prototype against itself and ``negatives`` (P, K) bool, per pixel (Eq. 4)."""
    positive = similarities.gather(1, labels.unsqueeze(1))
    lowest = torch.finfo(similarities.dtype).min
    others = similarities.masked_fill(~negatives, lowest)
    return torch.cat([positive, others], dim=1).logsumexp(dim=1) - positive.squeeze(1)


def _takes_part(labels: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Labels with ignored ones set to 0, and which pixels have a label and a prototype to be pulled to."""
    known = (labels >= 0) & (labels < len(valid))
    labels = labels.masked_fill(~known, 0)
    return labels, known & valid[labels]


def _cross_term(
    view: ContrastView,
    labels: Tensor,
    prototypes: Tensor,
    valid: Tensor,
    options: ContrastOptions,
    ranks: Ranks,
) -> Tensor:
    """Mean contrast of a view's pixels under given labels and prototypes (Eq. 6 and 7)."""
    labels, part = _takes_part(labels, valid)
    positive = F.one_hot(labels, len(valid)).bool()
    similarities = view.similarities(prototypes, options.temperature)
    loss = _info_nce(similarities, labels, valid & ~positive)
    number = ranks.total(part.sum()).clamp(min=1)
    return torch.where(part, loss, torch.zeros_like(loss)).sum() * ranks.size / number


def _intra_negatives(
    similarities: Tensor,
    labels: Tensor,
    valid: Tensor,
    keys: Tensor | None,
    generator: torch.Generator | None,
    options: ContrastOptions,
) -> Tensor:
    """Prototypes (P, K) bool that stand against the positive one in the intra term."""
    negatives = valid & ~F.one_hot(labels, len(valid)).bool()
    if not options.prototype_mining:
        return negatives
    if options.proto_pick == 'tail':
        keys = None
    elif keys is None:
        keys = torch.rand(similarities.shape, device=similarities.device, generator=generator)
    return mine_prototypes(
        similarities,
        negatives if options.exclude_positive else valid.expand_as(similarities),
        pool_ratio=options.pool_ratio,
        keep_ratio=options.keep_ratio,
        keys=keys,
    )


def _pixel_weights(
    similarity: Tensor,
    random_keys: Tensor,
    labels: Tensor,
    part: Tensor,
    num_classes: int,
    options: ContrastOptions,
    ranks: Ranks,
) -> Tensor:
    """Weight (P,) of each pixel in the intra term; over all ranks they add up to one, or to zero without any pixel."""
    labels = ranks.join(labels.masked_fill(~part, num_classes))
    if options.pixel_sampling:
        chosen = sample_pixels(
            ranks.join(similarity),
            ranks.join(random_keys),
            labels,
            num_classes,
            skip_hardest=options.skip_hardest,
            keep_singletons=not options.count_singletons,
        )
    else:
        chosen = (labels < num_classes).long()
    chosen = chosen.to(similarity)
    if options.intra_reduction == 'pixel':
        return ranks.own(chosen / chosen.sum().clamp(min=1))
    totals = chosen.new_zeros(num_classes + 1).scatter_add_(0, labels, chosen)
    present = torch.zeros_like(totals).scatter_(0, labels, 1.0)[:num_classes]
    counted = present.sum() if options.count_singletons else (totals[:num_classes] > 0).sum()
    return ranks.own(chosen / totals[labels].clamp(min=1) / counted.clamp(min=1))


def _intra_term(
    view: ContrastView,
    random_keys: Tensor | None,
    proto_keys: Tensor | None,
    generator: torch.Generator | None,
    options: ContrastOptions,
    ranks: Ranks,
) -> Tensor:
    """Contrast of a view's pixels with its own prototypes under its own labels (Eq. 9)."""
    labels, part = _takes_part(view.labels, view.valid)
    similarities = view.similarities(view.prototypes, options.temperature)
    with torch.no_grad():
        if random_keys is None:
            random_keys = torch.rand(labels.shape, device=labels.device, generator=generator)
        negatives = _intra_negatives(
            similarities, labels, view.valid, proto_keys, generator, options
        )
        own = similarities.gather(1, labels.unsqueeze(1)).squeeze(1)
        weights = _pixel_weights(own, random_keys, labels, part, len(view.valid), options, ranks)
    return (_info_nce(similarities, labels, negatives) * weights).sum() * ranks.size


def _check_keys(
    name: str, keys: Sequence[Tensor] | None, shape: tuple[int, ...], views: int
) -> None:
    shapes = [tuple(key.shape) for key in keys or ()]
    if keys is not None and shapes != [shape] * views:
        raise ValueError(f'{name} must be one {shape} a view, got {shapes}')


def _check_inputs(
    features: Sequence[Tensor],
    cams: Sequence[Tensor],
    tags: Tensor | None,
    labels: Sequence[Tensor] | None,
    valid: Tensor | None,
) -> None:
    if not 1 <= len(features) <= 2 or len(features) != len(cams):
        raise ValueError(
            f'expected one or two views with maps each, got {len(features)} and {len(cams)}'
        )
    grid = (len(features[0]), *features[0].shape[2:])
    for name, maps in (('features', features), ('cams', cams)):
        for view in maps:
            if (len(view), *view.shape[2:]) != grid:
                raise ValueError(
                    f'{name} must lie on one (N, h, w) grid {grid}, got {tuple(view.shape)}'
                )
    if labels is None and tags is not None and tags.shape != (grid[0], cams[0].shape[1] - 1):
        raise ValueError(f'tags must be {(grid[0], cams[0].shape[1] - 1)}, got {tuple(tags.shape)}')
    if valid is not None and tuple(valid.shape) != grid:
        raise ValueError(f'valid must be {grid}, got {tuple(valid.shape)}')
    shapes = [tuple(label.shape) for label in labels or ()]
    if labels is not None and shapes != [grid] * len(features):
        raise ValueError(f'labels must be one {grid} a view, got {shapes}')
    if cams[0].shape[1] > IGNORED:
        raise ValueError(
            f'at most {IGNORED} classes, since {IGNORED} marks ignored pixels, got {cams[0].shape[1]}'
        )


def pixel_prototype_contrast(
    features: Sequence[Tensor],
    cams: Sequence[Tensor],
    tags: Tensor | None,
    *,
    preset: str | ContrastOptions = 'paper',
    labels: Sequence[Tensor] | None = None,
    valid: Tensor | None = None,
    random_keys: Sequence[Tensor] | None = None,
    proto_keys: Sequence[Tensor] | None = None,
    generator: torch.Generator | None = None,
    group: 'dist.ProcessGroup | None' = None,
    **options: Any,
) -> dict[str, Tensor]:
    """Pixel-to-prototype contrast across two views and within each (Eq. 1, 4-9).

    Computed in at least float32 whatever the autocast. Finite for every batch: without tags, with one class, with empty
    maps. With several processes, the mean over them is the loss of one process with the joined batch.

    Args:
        features: One or two views' projected features, (N, D, h, w) on a common grid, un-normalised.
        cams: The views' raw maps, (N, 1+C, h, w), background first. Not differentiated.
        tags: Classes in each picture, (N, C) multi-hot. Not needed with ``labels``.
        preset: ``paper``, ``published`` or ready :class:`ContrastOptions`.
        labels: Dense labels of each view, (N, h, w), negative ones and 255 ignored; ``cams`` are then confidences as
            they are.
        valid: Cells that both views show, (N, h, w) bool; others are ignored, in maps' normalisation and prototypes
            too. None for all.
        random_keys: One (P,) per view in place of random numbers for the sampled half of the pixels.
        proto_keys: One (P, 1+C) per view in place of random numbers for ``proto_pick='random'``.
        generator: Source of the random numbers.
        group: Processes that share the batch; None for all.
        **options: Single fields of :class:`ContrastOptions` to replace.

    Returns:
        ``loss_cross_prototype``, ``loss_cross_cam`` and ``loss_intra``, weighted scalars; terms that are switched off,
        and cross terms of a single view, are left out.

    Raises:
        ValueError: Shapes do not fit, there are more than 255 classes, or an option has no such value.
        TypeError: There is no such option.
    """
    if isinstance(preset, ContrastOptions):
        chosen = replace(preset, **{k: v for k, v in options.items() if v is not None})
    else:
        chosen = ContrastOptions.from_preset(preset, **options)
    _check_inputs(features, cams, tags, labels, valid)
    pixels = features[0][:, 0].numel()
    _check_keys('random_keys', random_keys, (pixels,), len(features))
    _check_keys('proto_keys', proto_keys, (pixels, cams[0].shape[1]), len(features))
    ranks = Ranks(group, chosen.sync_prototypes)
    with torch.autocast(features[0].device.type, enabled=False):
        views = [
            build_view(feature, cam, tags, labels[index] if labels else None, valid, chosen, ranks)
            for index, (feature, cam) in enumerate(zip(features, cams))
        ]
        return _combine(views, random_keys, proto_keys, generator, chosen, ranks)


def _combine(
    views: list[ContrastView],
    random_keys: Sequence[Tensor] | None,
    proto_keys: Sequence[Tensor] | None,
    generator: torch.Generator | None,
    options: ContrastOptions,
    ranks: Ranks,
) -> dict[str, Tensor]:
    """The weighted terms of all views."""
    scale = 1 / len(views) if options.view_reduction == 'mean' else 1.0
    losses = {}
    if len(views) == 2:
        pairs = [(views[0], views[1]), (views[1], views[0])]
        if options.cross_prototype:
            terms = [
                _cross_term(view, view.labels, other.prototypes, other.valid, options, ranks)
                for view, other in pairs
            ]
            losses['loss_cross_prototype'] = options.cross_weight * scale * torch.stack(terms).sum()
        if options.cross_cam:
            terms = [
                _cross_term(view, other.labels, view.prototypes, view.valid, options, ranks)
                for view, other in pairs
            ]
            losses['loss_cross_cam'] = options.cross_weight * scale * torch.stack(terms).sum()
    if options.intra:
        terms = [
            _intra_term(
                view,
                random_keys[index] if random_keys else None,
                proto_keys[index] if proto_keys else None,
                generator,
                options,
                ranks,
            )
            for index, view in enumerate(views)
        ]
        losses['loss_intra'] = options.intra_weight * scale * torch.stack(terms).sum()
    return losses
