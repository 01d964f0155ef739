"""Quality of labels and prototypes, pixel by pixel in loops, as contrast_quality.py words it."""

import numpy as np


def literal_quality(embeddings, labels, prototypes, valid, truth, picked):
    """Figures as of ``quality_figures``, from lists; ``picked`` is the places of each class's prototype pixels."""
    number, pixels = len(valid), range(len(labels))
    known = [p for p in pixels if truth[p] != 255 and labels[p] != 255]

    def share(part, whole):
        part, whole = list(part), list(whole)
        return sum(part) / len(whole) if whole else None

    def mean(values):
        values = [v for v in values if v is not None]
        return sum(values) / len(values) if values else None

    def cosine(p, c):
        return float(np.dot(embeddings[p], prototypes[c]))

    nearest = {}
    for p in known:
        best = None
        for c in range(number):
            if valid[c] and (best is None or cosine(p, c) > cosine(p, best)):
                best = c
        nearest[p] = best
    own = {p: cosine(p, truth[p]) for p in known if valid[truth[p]]}
    other = {}
    for p in own:
        rest = [cosine(p, c) for c in range(number) if valid[c] and c != truth[p]]
        if rest:
            other[p] = max(rest)
    with_label = [p for p in known if valid[labels[p]]]

    by_class = {}
    for name in (
        'label_accuracy', 'label_precision', 'labelled', 'true', 'prototype_purity', 'nearest_true',
        'nearest_label', 'cosine_own', 'cosine_other',
    ):  # fmt: skip
        by_class[name] = []
    for c in range(number):
        true = [p for p in known if truth[p] == c]
        labelled = [p for p in known if labels[p] == c]
        mine = [p for p in picked[c] if truth[p] != 255]
        by_class['label_accuracy'].append(share((labels[p] == c for p in true), true))
        by_class['label_precision'].append(share((truth[p] == c for p in labelled), labelled))
        by_class['labelled'].append(share((1 for _ in labelled), known))
        by_class['true'].append(share((1 for _ in true), known))
        by_class['prototype_purity'].append(share((truth[p] == c for p in mine), mine))
        mine = [p for p in true if p in own]
        by_class['nearest_true'].append(share((nearest[p] == c for p in mine), mine))
        by_class['cosine_own'].append(mean([own[p] for p in mine]))
        by_class['cosine_other'].append(mean([other[p] for p in mine if p in other]))
        mine = [p for p in labelled if p in with_label]
        by_class['nearest_label'].append(share((nearest[p] == c for p in mine), mine))

    front = [p for p in known if truth[p] > 0]
    back = [p for p in known if truth[p] == 0]
    matrix = [
        [
            float(np.dot(prototypes[a], prototypes[b])) if valid[a] and valid[b] else None
            for b in range(number)
        ]
        for a in range(number)
    ]
    figures = {
        'label_accuracy': share((labels[p] == truth[p] for p in known), known),
        'label_class_accuracy': mean(by_class['label_accuracy']),
        'labelled_foreground': share((labels[p] > 0 for p in known), known),
        'true_foreground': share((truth[p] > 0 for p in known), known),
        'foreground_recall': share((labels[p] > 0 for p in front), front),
        'background_false_positive': share((labels[p] > 0 for p in back), back),
        'prototype_purity': mean(by_class['prototype_purity']),
        'nearest_true': share((nearest[p] == truth[p] for p in own), own),
        'nearest_true_class': mean(by_class['nearest_true']),
        'nearest_label': share((nearest[p] == labels[p] for p in with_label), with_label),
        'cosine_own': mean(list(own.values())),
        'cosine_other': mean(list(other.values())),
        'prototype_similarity_mean': mean(
            [matrix[a][b] for a in range(number) for b in range(number) if a != b]
        ),
    }
    if figures['cosine_own'] is None or figures['cosine_other'] is None:
        figures['cosine_margin'] = None
    else:
        figures['cosine_margin'] = figures['cosine_own'] - figures['cosine_other']
    return {**figures, 'by_class': by_class, 'prototype_similarity': matrix}
