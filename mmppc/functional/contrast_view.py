"""One view as the contrast sees it: labelled pixels and the prototypes made from them (Sec. 3.2, 3.3)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .cam import min_max_normalize, pseudo_labels, with_background
from .contrast_options import ContrastOptions
from .distributed import Ranks
from .prototypes import estimate_prototypes

IGNORED = 255
"""Label of a pixel that takes no part."""


@dataclass(frozen=True)
class ContrastView:
    """One view, flattened to P pixels: unit embeddings (P, D), labels (P,), prototypes (K, D), which are valid (K,)."""

    embeddings: Tensor
    labels: Tensor
    prototypes: Tensor
    valid: Tensor

    def similarities(self, prototypes: Tensor, temperature: float) -> Tensor:
        return self.embeddings @ prototypes.t() / temperature


@dataclass(frozen=True)
class LabelledPixels:
    """Labels (P,), 255 where ignored, confidences (P, K) and the pixels that may represent each class (P, K) bool."""

    labels: Tensor
    scores: Tensor
    candidates: Tensor


def score_maps(
    cams: Tensor, tags: Tensor, options: ContrastOptions, valid: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Confidences (N, 1+C, h, w) and pseudo labels (N, h, w) of raw maps (N, 1+C, h, w) of pictures with ``tags``.

    The maps are normalised by their ``valid`` cells (N, h, w), None for all.
    """
    counted = None if valid is None else valid.unsqueeze(1)
    scores = min_max_normalize(cams, clamp=options.clamp_scores, valid=counted)
    labels = pseudo_labels(scores, tags, options.bg_threshold)
    foreground = scores[:, 1:]
    if options.bg_conf == 'one_minus_max':
        tagged = foreground * tags[:, :, None, None].to(foreground)
        background = 1 - tagged.amax(dim=1, keepdim=True)
    else:
        background = torch.full_like(foreground[:, :1], options.bg_threshold)
    return torch.cat([background, foreground], dim=1), labels


def _candidates(
    labels: Tensor, tags: Tensor | None, num_classes: int, options: ContrastOptions, ranks: Ranks
) -> Tensor:
    """Pixels (P, K) that may represent each class, valid or not; ``labels`` is (N, h, w), 255 where not valid."""
    classes = torch.arange(num_classes, device=labels.device)
    assigned = labels.reshape(-1, 1) == classes
    if tags is None:
        return assigned
    pixels = labels[0].numel()
    tagged = (with_background(tags) > 0).repeat_interleave(pixels, dim=0, output_size=len(assigned))
    absent = ranks.total(tagged.sum(dim=0)) == 0
    candidates = torch.ones_like(assigned)
    if options.proto_candidates == 'tagged':
        candidates = tagged
    elif options.proto_candidates == 'assigned':
        somewhere = ranks.total(assigned.sum(dim=0)) > 0
        candidates = torch.where(somewhere, assigned, tagged)
    return candidates | absent if options.absent == 'include' else candidates & ~absent


def _unit(vectors: Tensor) -> Tensor:
    """Rows of unit length; a zero row stays, with a gradient that half precision can hold."""
    length = vectors.norm(dim=1, keepdim=True)
    return vectors / length.masked_fill(length < 1e-12, 1.0)


@torch.no_grad()
def label_pixels(
    cams: Tensor,
    tags: Tensor | None,
    labels: Tensor | None,
    valid: Tensor | None,
    options: ContrastOptions,
    ranks: Ranks,
) -> LabelledPixels:
    """What one view's maps (N, 1+C, h, w) say about its pixels, under tags (N, C) or dense labels (N, h, w).

    Pixels outside ``valid`` (N, h, w) are labelled 255 and represent no class.
    """
    if labels is None:
        if tags is None:
            raise ValueError('the contrast needs tags or dense labels')
        scores, labels = score_maps(cams, tags, options, valid)
    else:
        scores, tags = cams, None
    if valid is not None:
        labels = labels.masked_fill(~valid, IGNORED)
    candidates = _candidates(labels, tags, cams.shape[1], options, ranks)
    if valid is not None:
        candidates = candidates & valid.reshape(-1, 1)
    return LabelledPixels(labels.flatten(), scores.permute(0, 2, 3, 1).flatten(0, 2), candidates)


@torch.no_grad()
def label_and_estimate(
    features: Tensor,
    cams: Tensor,
    tags: Tensor | None,
    labels: Tensor | None,
    valid: Tensor | None,
    options: ContrastOptions,
    ranks: Ranks,
) -> tuple[Tensor, Tensor, Tensor]:
    """Pixel labels (P,), prototypes (K, D) and their validity (K,) of one view."""
    labelled = label_pixels(cams, tags, labels, valid, options, ranks)
    pixels = features.permute(0, 2, 3, 1).flatten(0, 2)
    if options.norm_before_proto:
        pixels = F.normalize(pixels, dim=1)
    prototypes, valid = estimate_prototypes(
        pixels,
        labelled.scores,
        labelled.candidates,
        options.topk,
        clamp=options.clamp_scores,
        ties=options.ties,
        group=ranks.group,
        sync=options.sync_prototypes,
    )
    return labelled.labels, prototypes, valid


def build_view(
    features: Tensor,
    cams: Tensor,
    tags: Tensor | None,
    labels: Tensor | None,
    valid: Tensor | None,
    options: ContrastOptions,
    ranks: Ranks,
) -> ContrastView:
    """A view from projected features (N, D, h, w), maps (N, 1+C, h, w) and tags (N, C) or dense labels (N, h, w).

    Cells outside ``valid`` (N, h, w) bool take no part; None for all. Computed in at least float32. Only the embeddings
    are differentiated.
    """
    dtype = torch.promote_types(features.dtype, torch.float32)
    features, cams = features.to(dtype), cams.detach().to(dtype)
    estimate = label_and_estimate(features.detach(), cams, tags, labels, valid, options, ranks)
    return ContrastView(_unit(features.permute(0, 2, 3, 1).flatten(0, 2)), *estimate)
