"""Every knob of the pixel-to-prototype contrast, and its presets."""

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class ContrastOptions:
    """Every knob of the contrast. The defaults are the ``paper`` preset.

    Attributes:
        topk: K, pixels that make a prototype (Eq. 5).
        temperature: tau of Eq. 4.
        bg_threshold: Score of the background when pixels are labelled, in [0, 1).
        cross_prototype: Contrast with the other view's prototypes (Eq. 6).
        cross_cam: Contrast with the other view's pseudo labels (Eq. 7).
        intra: Contrast within each view (Eq. 9).
        prototype_mining: Semi-hard choice of the negatives of the intra term.
        pixel_sampling: Half random, half hard pixels of each class in the intra term.
        cross_weight: alpha of Eq. 1.
        intra_weight: beta of Eq. 1.
        proto_candidates: Pixels a prototype is made from: ``assigned`` to the class by the pseudo label (if there is
            none, those of pictures tagged with it), ``tagged`` pictures' pixels, or ``all`` pixels of the batch.
        bg_conf: Confidence of the background: ``one_minus_max`` foreground score, or the ``constant`` threshold.
        ties: Which pixels of equal confidence a prototype is made from: those ``spread`` over the batch, or the
            ``first`` ones of the first picture. Much of the background ties at 1 where maps are zero around objects.
        absent: Of a class that no picture of the batch is tagged with, ``ignore`` the prototype, or ``include`` it
            among the negatives, made from all pixels.
        clamp_scores: Limit normalised scores to [0, 1].
        norm_before_proto: L2-normalise the features before a prototype is averaged.
        proto_pick: Which negatives of the pool are kept: its ``tail`` of lowest similarity, or ``random`` ones.
        pool_ratio: Size of the pool of hard negatives, relative to their number.
        keep_ratio: Number of negatives kept, relative to their number.
        exclude_positive: Keep the positive prototype out of the pool of negatives.
        skip_hardest: Part of the hardest pixels of a class which the hard half leaves out.
        intra_reduction: Mean per ``class``, then over classes, or over each ``pixel`` alike.
        count_singletons: A class of a single pixel adds nothing to the intra term but counts as present; otherwise its
            pixel is used.
        view_reduction: ``mean`` or ``sum`` over the two views.
        sync_prototypes: Let all processes share prototypes and sampling, as one process with the joined batch.
    """

    topk: int = 32
    temperature: float = 0.1
    bg_threshold: float = 0.2
    cross_prototype: bool = True
    cross_cam: bool = True
    intra: bool = True
    prototype_mining: bool = True
    pixel_sampling: bool = True
    cross_weight: float = 0.1
    intra_weight: float = 0.1
    proto_candidates: str = 'assigned'
    bg_conf: str = 'one_minus_max'
    ties: str = 'spread'
    absent: str = 'ignore'
    clamp_scores: bool = True
    norm_before_proto: bool = False
    proto_pick: str = 'tail'
    pool_ratio: float = 0.6
    keep_ratio: float = 0.5
    exclude_positive: bool = True
    skip_hardest: float = 0.0
    intra_reduction: str = 'class'
    count_singletons: bool = False
    view_reduction: str = 'mean'
    sync_prototypes: bool = True

    def __post_init__(self) -> None:
        choices = {
            'proto_candidates': ('assigned', 'tagged', 'all'),
            'bg_conf': ('one_minus_max', 'constant'),
            'ties': ('spread', 'first'),
            'absent': ('ignore', 'include'),
            'proto_pick': ('tail', 'random'),
            'intra_reduction': ('class', 'pixel'),
            'view_reduction': ('mean', 'sum'),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f'{name} must be one of {allowed}, got {getattr(self, name)!r}')
        for name in ('cross_weight', 'intra_weight'):
            if not 0 <= getattr(self, name) < float('inf'):
                raise ValueError(f'{name} must be at least 0, got {getattr(self, name)}')
        if self.topk < 1:
            raise ValueError(f'topk must be at least 1, got {self.topk}')
        if isinstance(self.bg_threshold, str) or not 0 <= self.bg_threshold < 1:
            raise ValueError(f'bg_threshold must be in [0, 1), got {self.bg_threshold!r}')
        if self.temperature <= 0:
            raise ValueError(f'temperature must be positive, got {self.temperature}')
        for name in ('pool_ratio', 'keep_ratio'):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f'{name} must be in (0, 1], got {getattr(self, name)}')
        if not 0 <= self.skip_hardest <= 0.5:
            raise ValueError(f'skip_hardest must be in [0, 0.5], got {self.skip_hardest}')

    @classmethod
    def from_preset(cls, preset: str = 'paper', **options: Any) -> 'ContrastOptions':
        """Options of a preset, some replaced; None keeps the preset's value.

        Raises:
            ValueError: The preset or the value of an option is unknown.
            TypeError: There is no such option.
        """
        if preset not in PRESETS:
            raise ValueError(f'preset must be one of {sorted(PRESETS)}, got {preset!r}')
        unknown = set(options) - {field.name for field in fields(cls)}
        if unknown:
            raise TypeError(f'the contrast has no option {sorted(unknown)}')
        return replace(PRESETS[preset], **{k: v for k, v in options.items() if v is not None})


PRESETS = {
    'paper': ContrastOptions(),
    # The published code's semantics, defects included: see the reference values in tests/functional/test_contrast.py.
    'published': ContrastOptions(
        proto_candidates='all',
        bg_conf='constant',
        ties='first',
        absent='include',
        clamp_scores=False,
        exclude_positive=False,
        skip_hardest=0.1,
        count_singletons=True,
    ),
}
