"""From seeds to the confident labels that AffinityNet (PSA) and IRN are trained with."""

from __future__ import annotations

import hashlib
import json
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from mmppc.functional.cam import background_score
from mmppc.functional.confident import merge_confident, merge_irn
from mmppc.functional.dense_crf import (
    crf_from_labels,
    crf_from_probabilities,
    crf_marginals,
    crf_preset,
    require_densecrf,
)
from mmppc.refinement.folder_job import (
    FolderJob,
    check_seeds,
    read_picture_of,
    run_folder_job,
    seed_origin,
)
from mmppc.refinement.masks import seed_labels
from mmppc.refinement.records import PictureRecord
from mmppc.storage.confident_maps import ConfidentMaps, load_confident_maps, save_confident_maps
from mmppc.storage.masks import VOID, load_mask, save_mask
from mmppc.storage.seeds import Seed

_COMMON = {'seed_dir', 'out_dir', 'palette', 'origin'}


def make_confident_labels(
    records: Sequence[PictureRecord],
    *,
    seed_dir: str | os.PathLike,
    label_dir: str | os.PathLike,
    kind: str,
    num_classes: int,
    palette: Sequence[Sequence[int]],
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
    **settings: Any,
) -> dict[str, Any]:
    """Write the confident labels of every picture, in worker processes.

    A seed is refined by the CRF with much background and with little. Where both agree, or the
    former leaves a class, the label is sure; all else is ignored in training.

    ``'psa'`` writes the probabilities of both refinements, ``<label_dir>/<sample_id>.npz`` (see
    :class:`~mmppc.storage.ConfidentMaps`), since PSA takes their argmax on a coarser grid. Settings:
    ``low=dict(alpha=4)`` and ``high=dict(alpha=24)``, arguments of
    :func:`~mmppc.functional.cam.background_score` for much and little background; ``crf``, a preset
    for scores of the present classes (``'psa'``) or for the hard labels ``argmax([background, scores])``
    among all labels (``'ppc_affinity'``, the default).

    ``'irn'`` writes label maps, ``<label_dir>/<sample_id>.png`` with 255 where unsure, from
    ``argmax([threshold, scores])``. Settings: ``fg_threshold=0.30``, ``bg_threshold=0.05``, and
    ``crf='irn'``, a preset for labels.

    Files are written whole or not at all, and a run continues where one stopped: a file is finished
    if it is not older than its seed. ``<label_dir>/labels.json`` records the settings and the seeds'
    weights, so that labels of different origin never mix. A picture without a tag is background. In a
    distributed run each rank makes its share.

    Args:
        records: The pictures.
        seed_dir: Folder of the seeds.
        label_dir: Folder of the labels.
        kind: ``'psa'`` or ``'irn'``.
        num_classes: 1 + C.
        palette: 1 + C colours (R, G, B), background first.
        workers: Processes of this rank; None for one a CPU, 0 to work in this one.
        overwrite: Make all labels again.
        progress: Show a progress bar; where the output is no terminal, log lines ``labels 12/300``.
        settings: Of the kind, see above.

    Returns:
        What ``labels.json`` holds: ``kind``, its settings, ``num_classes``, ``weights`` (digest in the
        seeds' ``meta``, None if they have none), ``pictures``, ``picture_list`` (digest of the sample
        ids), ``evaluated`` (pictures with truth), ``written`` (by this run), ``complete``; in percent
        of all pixels ``background``, ``foreground``, ``unsure``; in percent of the sure pixels whose
        truth is known ``accuracy``, and of those of either sort ``background_accuracy`` and
        ``foreground_accuracy``, None where there are none.

    Raises:
        FileNotFoundError: If pictures have no seed; the first are listed.
        FileExistsError: If ``label_dir`` has labels of other settings or seeds, or of another origin.
        ValueError: If an argument, a seed, a picture or a true mask is not as expected.
        ImportError: If pydensecrf is missing.
    """
    if kind not in _KINDS:
        raise ValueError(f'kind={kind!r}, expected one of {", ".join(map(repr, _KINDS))}')
    if num_classes != len(palette):
        raise ValueError(f'num_classes={num_classes}, {len(palette)} colours in the palette')
    names = [item.name for item in fields(_KINDS[kind]) if item.name not in _COMMON]
    unknown = sorted(settings.keys() - set(names))
    if unknown:
        raise ValueError(f'kind={kind!r}: unknown settings {unknown}, expected some of {names}')
    require_densecrf()  # that it is missing should show now, not in a worker
    check_seeds(records, Path(seed_dir))
    origin = seed_origin(records[0], Path(seed_dir))
    job = _KINDS[kind](
        seed_dir=Path(seed_dir),
        out_dir=Path(label_dir),
        palette=tuple(tuple(colour) for colour in palette),
        origin=origin,
        **{key: _plain(value) for key, value in settings.items()},
    )
    names_digest = hashlib.blake2b(digest_size=8)
    names_digest.update('\n'.join(record.sample_id for record in records).encode())
    return run_folder_job(
        job,
        records,
        settings={
            'kind': kind,
            **{name: getattr(job, name) for name in names},
            'num_classes': num_classes,
            'weights': origin['weights'],
            'seed_settings': origin['settings'],
        },
        details={'picture_list': names_digest.hexdigest()},
        figures=_figures,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
        # A training asks for its labels at every start, and looking into all of them takes minutes.
        reuse=True,
    )


@dataclass(frozen=True)
class _LabelJob(FolderJob):
    """Labels of either kind."""

    noun: ClassVar[str] = 'labels'

    def make(self, record: PictureRecord, seed: Seed) -> None:
        self.write(record, seed)

    def is_measured(self, record: PictureRecord) -> bool:
        return True

    def measure(self, record: PictureRecord) -> np.ndarray:
        """(3, 3) counts of background, foreground and unsure pixels: all, of known truth, right."""
        label = self.sure_labels(record)
        if record.truth_path is None:
            truth = np.full_like(label, VOID)
        else:
            truth = load_mask(record.truth_path, self.num_classes)
        if truth.shape != label.shape:
            raise ValueError(
                f'{record.truth_path}: truth of size {truth.shape}, labels of size {label.shape}'
            )
        sorts = [label == 0, (label != 0) & (label != VOID), label == VOID]
        known, right = truth != VOID, (truth == label) & (truth != VOID)
        return np.array(
            [[sort.sum(), (sort & known).sum(), (sort & right).sum()] for sort in sorts]
        )

    @abstractmethod
    def write(self, record: PictureRecord, seed: Seed) -> None:
        """Write the picture's labels, atomically."""

    @abstractmethod
    def sure_labels(self, record: PictureRecord) -> np.ndarray:
        """(H, W) uint8 of the picture's finished file, 255 where unsure."""


@dataclass(frozen=True)
class _PSALabels(_LabelJob):
    low: dict[str, float] = field(default_factory=lambda: {'alpha': 4})
    high: dict[str, float] = field(default_factory=lambda: {'alpha': 24})
    crf: str = 'ppc_affinity'

    suffix: ClassVar[str] = '.npz'

    def __post_init__(self) -> None:
        crf_preset(self.crf)
        scores = []
        for name in ('low', 'high'):
            value = getattr(self, name)
            try:
                scores.append(background_score(torch.tensor([0.5]), **value))
            except (ValueError, TypeError) as error:
                raise ValueError(
                    f'{name}={value!r}: expected dict(alpha=...) or dict(constant=...) ({error})'
                ) from error
        if self.low.keys() == self.high.keys() and scores[0] < scores[1]:
            raise ValueError(
                f'low={self.low!r} leaves less background than high={self.high!r}, expected more: '
                'the lower exponent, or the higher constant'
            )

    def write(self, record: PictureRecord, seed: Seed) -> None:
        classes = np.append(0, seed.classes)
        if not len(seed.classes):
            low = high = np.ones((1, *seed.size), np.float32)
        else:
            low, high = self._refined(read_picture_of(record, seed), seed, classes)
        meta = {'sample_id': record.sample_id, 'weights': self.origin['weights']}
        maps = ConfidentMaps(low, high, classes, self.num_classes, meta)
        save_confident_maps(self.path(record), maps)

    def sure_labels(self, record: PictureRecord) -> np.ndarray:
        path = self.path(record)
        maps = load_confident_maps(path)
        if maps.num_classes != self.num_classes:
            raise ValueError(
                f'{path}: field num_classes: found {maps.num_classes}, expected {self.num_classes}'
            )
        tensors = (torch.from_numpy(item) for item in (maps.low, maps.high, maps.classes))
        return merge_confident(*tensors, ignore=VOID).numpy().astype(np.uint8)

    def _refined(self, image: np.ndarray, seed: Seed, classes: np.ndarray) -> np.ndarray:
        """(2, 1 + K, H, W): the probabilities with much and with little background."""
        scores = torch.from_numpy(seed.scores)
        stacks = np.stack(
            [
                torch.cat([background_score(scores, **value)[None], scores]).numpy()
                for value in (self.low, self.high)
            ]
        )
        if crf_preset(self.crf).unary == 'scores':
            return crf_from_probabilities(image, stacks, self.crf)
        labels = classes[stacks.argmax(axis=1)]
        # The tagged classes one by one, although a map may lack some of them.
        return crf_marginals(
            image, labels, self.num_classes, self.crf, tagged=classes.tolist()
        ).probabilities


@dataclass(frozen=True)
class _IRNLabels(_LabelJob):
    fg_threshold: float = 0.30
    bg_threshold: float = 0.05
    crf: str = 'irn'

    suffix: ClassVar[str] = '.png'

    def __post_init__(self) -> None:
        if not 0 <= self.bg_threshold <= self.fg_threshold < 1:
            raise ValueError(
                f'bg_threshold={self.bg_threshold}, fg_threshold={self.fg_threshold}: expected '
                '0 <= bg_threshold <= fg_threshold < 1'
            )
        if crf_preset(self.crf).unary != 'labels':
            raise ValueError(f"crf={self.crf!r} takes scores, expected one for labels, e.g. 'irn'")

    def write(self, record: PictureRecord, seed: Seed) -> None:
        label = np.zeros(seed.size, np.uint8)
        if len(seed.classes):
            maps = [seed_labels(seed, value) for value in (self.fg_threshold, self.bg_threshold)]
            foreground, background = crf_from_labels(
                read_picture_of(record, seed),
                np.stack(maps),
                self.num_classes,
                self.crf,
                tagged=[0, *seed.classes.tolist()],
            )
            label = merge_irn(foreground, background, ignore=VOID)
        save_mask(self.path(record), label, self.palette)

    def sure_labels(self, record: PictureRecord) -> np.ndarray:
        return load_mask(self.path(record), self.num_classes)


_KINDS: Mapping[str, type[_PSALabels] | type[_IRNLabels]] = {'psa': _PSALabels, 'irn': _IRNLabels}


def _plain(value: Any) -> Any:
    """The setting as it is read back from JSON, and no ``ConfigDict``, for the processes.

    A None inside is left out: that is how a config takes back what it inherits.
    """
    plain = json.loads(json.dumps(value))
    if isinstance(plain, dict):
        return {key: item for key, item in plain.items() if item is not None}
    return plain


def _figures(counts: np.ndarray | None) -> dict[str, float | None]:
    """Shares and accuracies in percent."""
    assert counts is not None  # every picture is measured
    pixels, known, right = counts.T
    shares = dict(zip(('background', 'foreground', 'unsure'), 100 * pixels / pixels.sum()))
    sure = slice(0, 2)
    return {
        **{name: round(float(share), 2) for name, share in shares.items()},
        'accuracy': _percent(right[sure].sum(), known[sure].sum()),
        'background_accuracy': _percent(right[0], known[0]),
        'foreground_accuracy': _percent(right[1], known[1]),
    }


def _percent(part: int, whole: int) -> float | None:
    return round(100 * float(part) / float(whole), 2) if whole else None
