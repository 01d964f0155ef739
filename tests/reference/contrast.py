"""Pixel-to-prototype contrast, pixel by pixel and class by class.

Written from the paper's equations for reading beside them, not for speed. All pixels of the batch
stand in one list, picture after picture in raster order; background is class 0. Ties go to the
lowest index, except among the K most confident pixels: there ``torch.topk`` decides as it did in the
published code, or, for ties='spread', the order of the pixels' numbers times 2654435761 modulo 2^32.
"""

import math

import torch

PRESETS = {
    'paper': dict(
        clamp=True,
        proto_candidates='assigned',
        bg_conf='one_minus_max',
        absent='ignore',
        ties='spread',
        exclude_positive=True,
        skip_hardest=0.0,
        intra_reduction='class',
        count_singletons=False,
    ),
    'published': dict(
        clamp=False,
        proto_candidates='all',
        bg_conf='constant',
        absent='include',
        ties='first',
        exclude_positive=False,
        skip_hardest=0.1,
        intra_reduction='class',
        count_singletons=True,
    ),
}
IGNORED = 255


def literal_min_max(values, clamp):
    """One map as a list of floats: ReLU, then stretched from its lowest to its highest value."""
    values = [max(v, 0.0) for v in values]
    low, high = min(values), max(values)
    stretched = []
    for v in values:
        if v < low + 1e-5:
            v = 0.0
        v = (v - low - 1e-5) / (high - low + 1e-5)
        if clamp:
            v = min(max(v, 0.0), 1.0)
        stretched.append(v)
    return stretched


def pixel_list(maps):
    """(N, K, h, w) -> one (K,) tensor per pixel."""
    num, _, height, width = maps.shape
    return [maps[n, :, i, j] for n in range(num) for i in range(height) for j in range(width)]


def normalise(vector):
    return vector / torch.clamp(vector.norm(), min=1e-12)


def literal_confidences(cams, tags, *, clamp, bg_threshold, bg_conf):
    """Pseudo label of every pixel, and its confidence for every class.

    The label is argmax(m * y) with the background's m constant at the threshold. What ranks and
    weights the background's own pixels is another choice, ``bg_conf``.
    """
    num, channels, height, width = cams.shape
    labels, confidences = [], []
    for n in range(num):
        maps = [literal_min_max(cams[n, c].flatten().tolist(), clamp) for c in range(channels)]
        tagged = [True] + [bool(t) for t in tags[n].tolist()]
        for i in range(height * width):
            m = [maps[c][i] for c in range(channels)]
            m[0] = bg_threshold
            masked = [m[c] if tagged[c] else 0.0 for c in range(channels)]
            best = 0
            for c in range(channels):
                if masked[c] > masked[best]:
                    best = c
            labels.append(best)
            if bg_conf == 'one_minus_max':
                m[0] = 1.0 - max(masked[1:])
            confidences.append(m)
    return labels, confidences


def literal_prototype(features, scores, pixels, topk, clamp=True, ties='first'):
    """Eq. 5 for one class: ``pixels`` are those which may stand for it; None where there are none.

    Args:
        features: List of (D,) tensors, un-normalised. scores: List of floats, both over all pixels.
    """
    if not pixels:
        return None
    weight = {i: max(scores[i], 0.0) if clamp else scores[i] for i in pixels}
    if ties == 'spread':
        order = sorted(pixels, key=lambda i: (-weight[i], i * 2654435761 % 2**32))
        chosen = order[:topk]
    else:
        ranked = [weight.get(i, -math.inf) for i in range(len(features))]
        best = torch.tensor(ranked, dtype=torch.float64).topk(min(topk, len(pixels)))
        chosen = best.indices.tolist()
    if all(weight[i] == 0.0 for i in chosen):
        weight = dict.fromkeys(chosen, 1.0)
    total = torch.zeros_like(features[0])
    for i in chosen:
        total = total + weight[i] * features[i]
    return normalise(total / sum(weight[i] for i in chosen)).detach()


class View:
    """What one view knows: its pixels' embeddings and labels, and its prototypes."""

    def __init__(self, features, cams, tags, labels, topk, bg_threshold, norm_before_proto, switch):
        self.projected = pixel_list(features)
        self.embeddings = [normalise(f) for f in self.projected]
        num, self.channels, height, width = cams.shape
        picture = [n for n in range(num) for _ in range(height * width)]
        everyone = range(len(self.projected))
        if labels is None:
            self.labels, self.confidences = literal_confidences(
                cams,
                tags,
                clamp=switch['clamp'],
                bg_threshold=bg_threshold,
                bg_conf=switch['bg_conf'],
            )
        else:
            self.labels = labels.flatten().tolist()
            self.confidences = [m.tolist() for m in pixel_list(cams)]

        def is_tagged(n, c):
            return c == 0 or bool(tags[n, c - 1])

        features = [f.detach() for f in self.projected]
        if norm_before_proto:
            features = [normalise(f) for f in features]
        self.prototypes = []
        for c in range(self.channels):
            assigned = [i for i in everyone if self.labels[i] == c]
            if labels is not None:
                pixels = assigned
            elif switch['proto_candidates'] == 'all':
                pixels = list(everyone)
            else:
                tagged = [i for i in everyone if is_tagged(picture[i], c)]
                pixels = tagged
                if switch['proto_candidates'] == 'assigned' and assigned:
                    pixels = assigned
            if labels is None and not any(is_tagged(n, c) for n in range(num)):
                # a class of which the batch has no picture
                pixels = list(everyone) if switch['absent'] == 'include' else []
            scores = [m[c] for m in self.confidences]
            prototype = literal_prototype(
                features, scores, pixels, topk, switch['clamp'], switch['ties']
            )
            self.prototypes.append(prototype)


def negatives_mined(similarity, positive, keys, *, pick, pool_ratio, keep_ratio, exclude_positive):
    """Semi-hard prototypes of one pixel: class indices, by detached similarities {class: value}."""
    ranked = [c for c in similarity if not (exclude_positive and c == positive)]
    ranked.sort(key=lambda c: (-similarity[c], c))
    if not ranked:
        return []
    pool = max(round(pool_ratio * len(ranked)), 1)
    keep = max(round(keep_ratio * len(ranked)), 1)
    hardest = ranked[:pool]
    if pick == 'random':
        return sorted(hardest, key=lambda c: (keys[c], c))[:keep]
    return hardest[-keep:]


def sampled_weights(members, hardness, keys, skip_hardest):
    """Weight of each pixel of one class: one half at random, one half by hardness."""
    n = len(members)
    by_key = sorted(members, key=lambda i: (keys[i], i))
    by_hardness = sorted(members, key=lambda i: (hardness[i], i))  # least similar first
    stop = math.floor((0.5 + skip_hardest) * n)
    weight = dict.fromkeys(members, 0)
    for i in by_key[: n // 2]:
        weight[i] += 1
    for i in by_hardness[stop - n // 2 : stop]:
        weight[i] += 1
    return weight


def contrast_of(embedding, positive, denominator, prototypes, temperature):
    """Eq. 4 for one pixel; ``denominator`` lists the classes in the sum (one may stand twice)."""

    def similarity(c):
        return torch.dot(embedding, prototypes[c]) / temperature

    return torch.log(sum(torch.exp(similarity(c)) for c in denominator)) - similarity(positive)


def literal_cross(view, labels, prototypes, temperature):
    """Eq. 6 and 7: mean over the pixels that have a label and a prototype for it."""
    in_play = [c for c, p in enumerate(prototypes) if p is not None]
    total = sum(f.sum() for f in view.projected) * 0.0
    count = 0
    for embedding, label in zip(view.embeddings, labels):
        if label == IGNORED or label not in in_play:
            continue
        total = total + contrast_of(embedding, label, in_play, prototypes, temperature)
        count += 1
    return total / max(count, 1)


def literal_intra(
    view,
    keys,
    proto_keys,
    *,
    temperature,
    prototype_mining,
    pixel_sampling,
    proto_pick,
    pool_ratio,
    keep_ratio,
    switch,
):
    """Eq. 9 with semi-hard prototype mining and hard pixel sampling."""
    in_play = [c for c, p in enumerate(view.prototypes) if p is not None]
    zero = sum(f.sum() for f in view.projected) * 0.0
    sums, weights = [], []  # per class: of weighted losses, of weights
    for c in range(view.channels):
        members = [i for i, label in enumerate(view.labels) if label == c]
        if not members or c not in in_play:
            continue
        hardness = {i: torch.dot(view.embeddings[i], view.prototypes[c]).item() for i in members}
        if not pixel_sampling:
            weight = dict.fromkeys(members, 1)
        elif len(members) == 1 and not switch['count_singletons']:
            weight = {members[0]: 1}
        else:
            weight = sampled_weights(members, hardness, keys, switch['skip_hardest'])
        total = zero
        for i in members:
            if weight[i] == 0:
                continue
            denominator = in_play
            if prototype_mining:
                similarity = {
                    k: torch.dot(view.embeddings[i], view.prototypes[k]).item() for k in in_play
                }
                denominator = [
                    c,
                    *negatives_mined(
                        similarity,
                        c,
                        None if proto_keys is None else proto_keys[i],
                        pick=proto_pick,
                        pool_ratio=pool_ratio,
                        keep_ratio=keep_ratio,
                        exclude_positive=switch['exclude_positive'],
                    ),
                ]
            loss = contrast_of(view.embeddings[i], c, denominator, view.prototypes, temperature)
            total = total + weight[i] * loss
        sums.append(total)
        weights.append(sum(weight.values()))
    if switch['intra_reduction'] == 'pixel':
        return sum(sums, zero) / max(sum(weights), 1)
    means = [s / w for s, w in zip(sums, weights) if w > 0]
    counted = len(sums) if switch['count_singletons'] else len(means)
    return sum(means, zero) / max(counted, 1)


def literal_contrast(
    features,
    cams,
    tags=None,
    *,
    preset='paper',
    labels=None,
    topk=32,
    temperature=0.1,
    bg_threshold=0.2,
    cross_prototype=True,
    cross_cam=True,
    intra=True,
    prototype_mining=True,
    pixel_sampling=True,
    cross_weight=0.1,
    intra_weight=0.1,
    norm_before_proto=False,
    proto_pick='tail',
    pool_ratio=0.6,
    keep_ratio=0.5,
    view_reduction='mean',
    random_keys=None,
    proto_keys=None,
    parts=None,
    **switches,
):
    """The terms of Eq. 1 as {'loss_...': scalar}; arguments as ``pixel_prototype_contrast``.

    A dict given as ``parts`` receives the views and each term of each view before weighting.
    """
    switch = {**PRESETS[preset], **{k: v for k, v in switches.items() if v is not None}}
    views = [
        View(
            features[v],
            cams[v],
            tags,
            None if labels is None else labels[v],
            topk,
            bg_threshold,
            norm_before_proto,
            switch,
        )
        for v in range(len(features))
    ]
    terms = {}
    if len(views) == 2:
        for name, wanted in (('cross_prototype', cross_prototype), ('cross_cam', cross_cam)):
            if not wanted:
                continue
            terms[name] = []
            for own, other in ((views[0], views[1]), (views[1], views[0])):
                if name == 'cross_prototype':
                    loss = literal_cross(own, own.labels, other.prototypes, temperature)
                else:
                    loss = literal_cross(own, other.labels, own.prototypes, temperature)
                terms[name].append(loss)
    if intra:
        terms['intra'] = []
        for v, view in enumerate(views):
            terms['intra'].append(
                literal_intra(
                    view,
                    None if random_keys is None else random_keys[v].tolist(),
                    None if proto_keys is None else proto_keys[v].tolist(),
                    temperature=temperature,
                    prototype_mining=prototype_mining,
                    pixel_sampling=pixel_sampling,
                    proto_pick=proto_pick,
                    pool_ratio=pool_ratio,
                    keep_ratio=keep_ratio,
                    switch=switch,
                )
            )
    if parts is not None:
        parts.update(terms, views=views)
    losses = {}
    for name, per_view in terms.items():
        weight = intra_weight if name == 'intra' else cross_weight
        divisor = len(views) if view_reduction == 'mean' else 1
        losses[f'loss_{name}'] = weight * sum(per_view) / divisor
    return losses
