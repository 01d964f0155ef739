"""How good pseudo labels and prototypes are, told by the truth. For looking only: nothing here trains."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .prototypes import top_pixels

IGNORED = 255
"""Label of a cell without truth, or that takes no part."""


def truth_maps(truth: Tensor, num_classes: int) -> Tensor:
    """Truth as one map a class, which a view can resample.

    Args:
        truth: Classes (N, H, W), 255 where unknown.
        num_classes: K, the background included.

    Returns:
        (N, K, H, W) float, all 0 where unknown.
    """
    classes = torch.arange(num_classes, device=truth.device)[:, None, None]
    return (truth.unsqueeze(1) == classes).float()


def settle_truth(maps: Tensor) -> Tensor:
    """Each cell's class from resampled maps of :func:`truth_maps`.

    Args:
        maps: (N, K, h, w) in [0, 1].

    Returns:
        (N, h, w) long: the class with the largest part, 255 where less than half is known.
    """
    return maps.argmax(dim=1).masked_fill(maps.sum(dim=1) < 0.5, IGNORED)


def prototype_pixels(
    scores: Tensor, candidates: Tensor, topk: int, ties: str = 'first'
) -> tuple[Tensor, Tensor]:
    """The pixels that :func:`~mmppc.functional.prototypes.estimate_prototypes` makes prototypes from.

    Args:
        scores: (P, K).
        candidates: (P, K) bool.
        topk: Pixels a class.
        ties: Which of equal scores, see :func:`~mmppc.functional.prototypes.top_pixels`.

    Returns:
        Places (T, K) long with T = min(``topk``, P), and which of them exist (T, K) bool.
    """
    best, index = top_pixels(scores.masked_fill(~candidates, float('-inf')), topk, ties)
    return index, best > float('-inf')


@dataclass(frozen=True)
class QualityCounts:
    """Sums over pixels and batches, which add up; K classes, float64 on the CPU.

    Attributes:
        labels: Pixels by true class and pseudo label, (K, K).
        prototype_pixels: Pixels of known truth by the class whose prototype they make and their true class, (K, K).
        nearest: Pixels by true class and nearest prototype, (K, K). This and what follows are of pixels whose true
            class has a prototype.
        cosine_own: Cosines to the prototype of the true class, by true class, (K,).
        cosine_other: Largest cosines to another prototype, (K,), of pixels where there is another one.
        others: Number of these pixels, (K,).
        nearest_to_label: Pixels whose label has a prototype that is the nearest one, by label, (K,).
        labelled: Pixels whose label has a prototype, by label, (K,).
        similarity: Cosines of pairs of prototypes that both exist, summed over views and batches, (K, K).
        pairs: Number of these, (K, K).
    """

    labels: Tensor
    prototype_pixels: Tensor
    nearest: Tensor
    cosine_own: Tensor
    cosine_other: Tensor
    others: Tensor
    nearest_to_label: Tensor
    labelled: Tensor
    similarity: Tensor
    pairs: Tensor

    def __add__(self, other: QualityCounts) -> QualityCounts:
        return QualityCounts(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        )


@torch.no_grad()
def count_quality(
    embeddings: Tensor,
    labels: Tensor,
    prototypes: Tensor,
    valid: Tensor,
    truth: Tensor,
    picked: tuple[Tensor, Tensor],
) -> QualityCounts:
    """Compare one view's pseudo labels and prototypes with the truth.

    Args:
        embeddings: Unit vectors of the pixels, (P, D).
        labels: Pseudo labels (P,), 255 where a pixel takes no part.
        prototypes: Unit vectors (K, D).
        valid: Which prototypes exist, (K,) bool.
        truth: True classes (P,), 255 where unknown.
        picked: Places and existence of the prototypes' pixels, as of :func:`prototype_pixels`.
    """
    embeddings, prototypes = embeddings.double().cpu(), prototypes.double().cpu()
    labels, truth, valid = labels.cpu(), truth.cpu(), valid.cpu()
    number = len(valid)
    index, exists = (part.cpu() for part in picked)
    classes = torch.arange(number).expand_as(index)
    picked_truth = truth[index]
    seen = exists & (picked_truth != IGNORED)

    known = (truth != IGNORED) & (labels != IGNORED)
    labels, truth = labels[known], truth[known]
    cosines = (embeddings[known] @ prototypes.t()).masked_fill(~valid, -torch.inf)
    nearest = cosines.argmax(dim=1)
    has_own, has_label = valid[truth], valid[labels]
    own = cosines.gather(1, truth[:, None]).squeeze(1)
    others = cosines.masked_fill(F.one_hot(truth, number).bool(), -torch.inf).amax(dim=1)
    has_other = has_own & (others > -torch.inf)
    right = has_label & (nearest == labels)
    both = (valid[:, None] & valid).double()
    return QualityCounts(
        labels=_table(truth, labels, number),
        prototype_pixels=_table(classes[seen], picked_truth[seen], number),
        nearest=_table(truth[has_own], nearest[has_own], number),
        cosine_own=_sums(truth[has_own], own[has_own], number),
        cosine_other=_sums(truth[has_other], others[has_other], number),
        others=torch.bincount(truth[has_other], minlength=number).double(),
        nearest_to_label=torch.bincount(labels[right], minlength=number).double(),
        labelled=torch.bincount(labels[has_label], minlength=number).double(),
        similarity=(prototypes @ prototypes.t()) * both,
        pairs=both,
    )


def quality_figures(counts: QualityCounts) -> dict[str, Any]:
    """Figures from sums; all shares in [0, 1], None where there is nothing to divide by.

    Returns:
        Single figures:

        * ``label_accuracy``: pixels labelled with their true class; ``label_class_accuracy``: mean over true classes;
        * ``labelled_foreground``, ``true_foreground``: shares of the pixels;
        * ``foreground_recall``: of the true foreground, how much is labelled foreground, of whatever class;
          ``background_false_positive``: of the true background, how much is labelled foreground;
        * ``prototype_purity``: pixels a prototype is made from that are of its class, mean over classes;
        * ``nearest_true``: pixels nearest to the prototype of their true class; ``nearest_true_class``: mean over
          classes; ``nearest_label``: pixels nearest to the prototype of their pseudo label;
        * ``cosine_own``, ``cosine_other``: mean cosine to the prototype of the true class, and to the most similar
          other one; ``cosine_margin``: the first minus the second;
        * ``prototype_similarity_mean``: mean cosine of two different prototypes.

        ``by_class``: lists of K values under the names ``label_accuracy`` (recall), ``label_precision``,
        ``labelled``, ``true`` (shares of the pixels), ``prototype_purity``, ``nearest_true``, ``nearest_label``,
        ``cosine_own``, ``cosine_other``. ``prototype_similarity``: K lists of K mean cosines.
    """
    labels, nearest = counts.labels, counts.nearest
    total = labels.sum()
    purity = _share(counts.prototype_pixels.diag(), counts.prototype_pixels.sum(dim=1))
    recall = _share(labels.diag(), labels.sum(dim=1))
    nearest_true = _share(nearest.diag(), nearest.sum(dim=1))
    own = _share(counts.cosine_own, nearest.sum(dim=1))
    other = _share(counts.cosine_other, counts.others)
    similarity = _share(counts.similarity, counts.pairs)
    different = ~torch.eye(len(labels), dtype=torch.bool)
    by_class = {
        'label_accuracy': recall,
        'label_precision': _share(labels.diag(), labels.sum(dim=0)),
        'labelled': _share(labels.sum(dim=0), total),
        'true': _share(labels.sum(dim=1), total),
        'prototype_purity': purity,
        'nearest_true': nearest_true,
        'nearest_label': _share(counts.nearest_to_label, counts.labelled),
        'cosine_own': own,
        'cosine_other': other,
    }
    single = {
        'label_accuracy': _share(labels.diag().sum(), total),
        'label_class_accuracy': recall.nanmean(),
        'labelled_foreground': _share(labels[:, 1:].sum(), total),
        'true_foreground': _share(labels[1:].sum(), total),
        'foreground_recall': _share(labels[1:, 1:].sum(), labels[1:].sum()),
        'background_false_positive': _share(labels[0, 1:].sum(), labels[0].sum()),
        'prototype_purity': purity.nanmean(),
        'nearest_true': _share(nearest.diag().sum(), nearest.sum()),
        'nearest_true_class': nearest_true.nanmean(),
        'nearest_label': _share(counts.nearest_to_label.sum(), counts.labelled.sum()),
        'cosine_own': _share(counts.cosine_own.sum(), nearest.sum()),
        'cosine_other': _share(counts.cosine_other.sum(), counts.others.sum()),
        'prototype_similarity_mean': similarity[different].nanmean(),
    }
    single['cosine_margin'] = single['cosine_own'] - single['cosine_other']
    return {
        **{name: _plain(value) for name, value in single.items()},
        'by_class': {name: _plain(value) for name, value in by_class.items()},
        'prototype_similarity': _plain(similarity),
    }


def single_figures(figures: dict[str, Any]) -> dict[str, float | None]:
    """The figures of :func:`quality_figures` that are one number each."""
    return {name: v for name, v in figures.items() if not isinstance(v, (dict, list))}


def _table(rows: Tensor, columns: Tensor, number: int) -> Tensor:
    flat = torch.bincount(rows * number + columns, minlength=number * number)
    return flat.reshape(number, number).double()


def _sums(groups: Tensor, values: Tensor, number: int) -> Tensor:
    return torch.zeros(number, dtype=torch.float64).scatter_add_(0, groups, values)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """``part`` / ``whole``, NaN where the whole is 0."""
    return torch.where(whole > 0, part / whole.clamp(min=1e-12), torch.nan)


def _plain(value: Tensor) -> Any:
    """A number, or nested lists of them, with None for what is none."""
    if value.dim():
        return [_plain(item) for item in value]
    number = float(value)
    return number if math.isfinite(number) else None
