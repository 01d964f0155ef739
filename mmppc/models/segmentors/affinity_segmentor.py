"""The network of the affinity stages: seeds walk over what a head takes for alike (PSA, IRN)."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.segmentors import BaseSegmentor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmppc.functional.affinity import neighbour_offsets, pair_mask
from mmppc.functional.cam import background_score
from mmppc.functional.random_walk import METHODS, random_walk
from mmppc.functional.refine import check_refinement, refine_labels
from mmppc.storage.pictures import read_picture

TEST_DEFAULTS: dict[str, Any] = dict(
    radius=5,
    beta=8.0,
    log_steps=6,
    border='full',
    method='exact',
    background=dict(constant=0.27),
    threshold=None,
    seed_floor=0.0,
    seed_resize='average',
    flip=False,
    pad_to=None,
    refine=dict(method='none', crf='random_walk'),
)
DEFAULT_THRESHOLD = 0.25
TEST_CHOICES: dict[str, tuple] = dict(
    border=('full', 'published'),
    method=METHODS,
    seed_resize=('average', 'bilinear'),
    flip=(False, True),
)


@MODELS.register_module()
class AffinitySegmentor(BaseSegmentor):
    """Learns from confident labels which neighbours belong together, and spreads seeds over them by a random walk.

    With an :class:`AffinityHead` it is PSA's AffinityNet, with a :class:`BoundaryHead` IRN's boundary network.

    Training takes pictures with ``gt_sem_seg``, a label map on the head's grid (0 the background, 255 where unsure).
    Testing takes pictures with ``seed``, scores (K, H, W) in [0, 1] of the present classes at the picture's original
    size, and ``seed_classes.label`` (K,), their channels. One picture is walked at a time.

    Args:
        backbone: Any backbone that returns a tuple of feature maps.
        decode_head: An :class:`AffinityHead` or a :class:`BoundaryHead`.
        test_cfg: Any of

            - ``radius`` (5): the walk steps to cells nearer than this; ``beta`` (8.0): exponent of the affinities;
              ``log_steps`` (6): it takes 2 ** log_steps steps;
            - ``border`` (``full``): ``published`` leaves out the pairs that PSA's code leaves out and shortens the
              radius on small pictures as it does; ``method`` (``exact``): or ``chebyshev``, see
              :func:`mmppc.functional.random_walk.random_walk`;
            - ``background`` (``dict(constant=0.27)``): its score, arguments of
              :func:`mmppc.functional.cam.background_score`, which walks with the classes. None as in IRN: only classes
              walk, and are background where they stay below ``threshold`` (0.25) of the strongest value in the picture;
            - ``seed_floor`` (0.0): scores up to this count as nothing, the rest is stretched to [0, 1]; for seeds whose
              background is far from zero, as those of pixel correlation, where only classes walk;
            - ``seed_resize`` (``average``): seeds to the grid by average pooling; ``bilinear`` as in IRN, each class
              divided by its maximum;
            - ``flip`` (False): average with the mirror image; ``pad_to`` (None): pixels to which smaller pictures are
              padded on the right and below (IRN 512). Larger ones are never cropped;
            - ``refine`` (``dict(method='none', crf='random_walk')``): refinement of the result by the picture, see
              :func:`mmppc.functional.refine.refine_labels`.
        train_cfg: Not used; mmseg's configs carry it.
        data_preprocessor: As in mmseg.
        init_cfg: As in mmengine.

    Raises:
        ValueError: An entry of ``test_cfg`` is unknown, out of range, or does not go with another.
    """

    def __init__(
        self,
        backbone: dict,
        decode_head: dict,
        test_cfg: dict | None = None,
        train_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.decode_head = MODELS.build(decode_head)
        self.test_cfg = _checked(test_cfg or {})

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """All feature maps of the backbone for pictures (N, 3, H, W)."""
        taps = self.backbone(inputs)
        return tuple(taps) if isinstance(taps, (list, tuple)) else (taps,)

    def loss(self, inputs: Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """Terms of the head's loss of a batch (N, 3, H, W).

        Raises:
            ValueError: A picture has no labels, or they do not lie on the head's grid.
        """
        labels = []
        for sample in data_samples:
            if 'gt_sem_seg' not in sample:
                raise ValueError(
                    f'{sample.get("img_path")}: training needs confident labels, found none; load them in the pipeline'
                )
            labels.append(sample.gt_sem_seg.data.squeeze(0))
        if len({label.shape for label in labels}) > 1:
            raise ValueError(
                f'label maps of several sizes in one batch: {[tuple(label.shape) for label in labels]}'
            )
        return self.decode_head.loss(self.extract_feat(inputs), torch.stack(labels).long())

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Walk the seeds of pictures (N, 3, H', W').

        Returns:
            The samples with ``walk_scores`` (1+K, H, W) float32, the background first, then the classes of
            ``seed_classes``, and ``pred_sem_seg`` (1, H, W) long, channels, both at the picture's original size.

        Raises:
            ValueError: A sample has no seed, or one of another picture.
        """
        if data_samples is None:
            raise ValueError('the walk needs seeds: give data samples with what LoadSeed loads')
        for picture, sample in zip(inputs, data_samples):
            seeds, classes = _seeds(sample, inputs.device)
            scores = self.walk_seeds(_unpadded(picture, sample), seeds)
            channels = torch.cat([classes.new_zeros(1), classes])
            labels = self._refine(scores, channels, sample)
            sample.set_data(
                dict(walk_scores=PixelData(data=scores), pred_sem_seg=PixelData(data=labels[None]))
            )
        return data_samples

    @torch.no_grad()
    def walk_seeds(self, picture: Tensor, seeds: Tensor) -> Tensor:
        """Scores of the background and the classes after the walk.

        Args:
            picture: Normalised (3, H', W'), of any size.
            seeds: Scores (K, H, W) in [0, 1] at the size that is wanted. Without any class the network is not run.

        Returns:
            (1+K, H, W) float32, the background first. Its argmax is the segmentation.
        """
        size, wanted = picture.shape[-2:], seeds.shape[-2:]
        if not len(seeds):
            return self._background(seeds.new_zeros(1, *wanted))
        floor = self.test_cfg['seed_floor']
        if floor:
            seeds = (seeds - floor).relu() / (1 - floor)
        stride = self.decode_head.stride
        grid = (math.ceil(size[0] / stride), math.ceil(size[1] / stride))
        affinity, gate, offsets = self._affinity(picture, grid)
        if size != wanted:
            seeds = F.interpolate(seeds[None], size=size, mode='area')[0]
        walked = random_walk(
            self._start(seeds, grid, gate),
            affinity,
            offsets,
            beta=self.test_cfg['beta'],
            steps=2 ** self.test_cfg['log_steps'],
            method=self.test_cfg['method'],
        )
        maps = F.interpolate(
            walked[None], scale_factor=stride, mode='bilinear', align_corners=False
        )[..., : size[0], : size[1]]
        if size != wanted:
            maps = F.interpolate(maps, size=wanted, mode='bilinear', align_corners=False)
        maps = maps[0]
        if self.test_cfg['background'] is None:
            # Seeds without any score stay 0 instead of becoming nan.
            maps = maps / maps.amax().clamp_min(torch.finfo(maps.dtype).tiny)
            maps = torch.cat([self._background(maps), maps])
        return maps

    def _background(self, scores: Tensor) -> Tensor:
        """Scores (1, H, W) of the background beside those of the classes, (K, H, W)."""
        if self.test_cfg['background'] is None:
            return torch.full_like(scores[:1], self.test_cfg['threshold'])
        return background_score(scores, **self.test_cfg['background'])[None]

    def _affinity(
        self, picture: Tensor, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Affinities (O, h, w) of a picture (3, H', W'), the gate (h, w) of a head that has one, offsets (O, 2)."""
        cfg, stride = self.test_cfg, self.decode_head.stride
        published, radius = cfg['border'] == 'published', cfg['radius']
        if published and min(grid) < 2 * radius + 1:
            # Without any pair, as at radius 1, the walk stands still.
            radius = max((min(grid) - 1) // 2, 1)
        offsets = neighbour_offsets(radius)
        views = torch.stack([picture, picture.flip(-1)]) if cfg['flip'] else picture[None]
        height, width = (
            math.ceil(max(side, cfg['pad_to'] or 0) / stride) * stride
            for side in picture.shape[-2:]
        )
        views = F.pad(views, (0, width - views.shape[-1], 0, height - views.shape[-2]))
        affinity, gate = self.decode_head.predict(self.extract_feat(views), grid, offsets)
        if published:
            affinity = affinity * pair_mask(offsets, *grid, 'published').to(affinity.device)
        return affinity, gate, offsets

    def _start(self, seeds: Tensor, grid: tuple[int, int], gate: Tensor | None) -> Tensor:
        """What walks, (1+K, h, w) or without the background (K, h, w), from seeds (K, H', W') at the input's size."""
        if self.test_cfg['seed_resize'] == 'average':
            stride = self.decode_head.stride
            below, right = (n * stride - side for n, side in zip(grid, seeds.shape[-2:]))
            start = F.avg_pool2d(F.pad(self._all_rows(seeds), (0, right, 0, below)), stride)
        else:
            small = F.interpolate(seeds[None], size=grid, mode='bilinear', align_corners=False)[0]
            start = self._all_rows(small / (small.amax(dim=(-2, -1), keepdim=True) + 1e-5))
        return start if gate is None else start * gate

    def _all_rows(self, scores: Tensor) -> Tensor:
        """Scores (K, ...) with the background's before them if it walks."""
        if self.test_cfg['background'] is None:
            return scores
        return torch.cat([self._background(scores), scores])

    def _refine(self, scores: Tensor, channels: Tensor, sample: SegDataSample) -> Tensor:
        """Channels (H, W) that win, after refinement by the picture if one is wanted."""
        method, crf = self.test_cfg['refine']['method'], self.test_cfg['refine']['crf']
        if method == 'none' or len(channels) == 1:
            return channels[scores.argmax(dim=0)]
        labels = refine_labels(
            read_picture(sample.img_path),
            scores,
            channels,
            int(sample.seed_classes.num_classes),
            method=method,
            crf=crf,
        )
        return torch.as_tensor(labels, device=channels.device, dtype=torch.long)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Any:
        """What the head computes for pictures (N, 3, H, W)."""
        return self._forward(inputs)

    def _forward(self, inputs: Tensor, data_samples: Any = None) -> Any:
        """What the head computes: features, or edge logits and displacements."""
        return self.decode_head(self.extract_feat(inputs))


def _seeds(sample: SegDataSample, device: torch.device) -> tuple[Tensor, Tensor]:
    """Scores (K, H, W) float32 and channels (K,) long of a sample, checked."""
    if 'seed' not in sample or 'seed_classes' not in sample:
        raise ValueError(
            f'{sample.get("img_path")}: the walk needs `seed` and `seed_classes`, found '
            f'{sorted(sample.keys())}; put LoadSeed into the pipeline'
        )
    seeds = sample.seed.data.to(device, torch.float32)
    classes = torch.as_tensor(sample.seed_classes.label, device=device, dtype=torch.long)
    size = tuple(sample.get('ori_shape', seeds.shape[-2:])[:2])
    if seeds.ndim != 3 or len(seeds) != len(classes) or tuple(seeds.shape[-2:]) != size:
        raise ValueError(
            f'{sample.get("img_path")}: seed {tuple(seeds.shape)} with {len(classes)} classes, expected (K, H, W) with '
            f'K classes and the size {size} of the picture'
        )
    return seeds, classes


def _unpadded(picture: Tensor, sample: SegDataSample) -> Tensor:
    """A picture (3, H', W') without what the data preprocessor appended to make a batch of several sizes."""
    height, width = sample.get('img_shape', picture.shape[-2:])[:2]
    return picture[:, :height, :width]


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """``test_cfg`` with its defaults, or a ValueError that says what is wrong."""
    for key in given:
        if key not in TEST_DEFAULTS:
            raise ValueError(f'test_cfg has no entry {key!r}; it has {sorted(TEST_DEFAULTS)}')
    cfg = {**TEST_DEFAULTS, **given}
    for key, choices in TEST_CHOICES.items():
        if cfg[key] not in choices:
            raise ValueError(f'test_cfg.{key} must be one of {choices}, got {cfg[key]!r}')
    for key, least in (('radius', 1), ('log_steps', 0), ('pad_to', 1)):
        value = cfg[key]
        if key == 'pad_to' and value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(
                f'test_cfg.{key} must be an integer of at least {least}, got {value!r}'
            )
    if not isinstance(cfg['seed_floor'], (int, float)) or not 0 <= cfg['seed_floor'] < 1:
        raise ValueError(f'test_cfg.seed_floor must be in [0, 1), got {cfg["seed_floor"]!r}')
    if not isinstance(cfg['beta'], (int, float)) or cfg['beta'] <= 0:
        raise ValueError(f'test_cfg.beta must be positive, got {cfg["beta"]!r}')
    cfg['background'], cfg['threshold'] = _background_options(cfg['background'], cfg['threshold'])
    refine = dict(cfg['refine'] or {})
    unknown = refine.keys() - TEST_DEFAULTS['refine'].keys()
    if unknown:
        raise ValueError(f'test_cfg.refine has no entry {sorted(unknown)}; it has method and crf')
    cfg['refine'] = {**TEST_DEFAULTS['refine'], **refine}
    check_refinement(cfg['refine']['method'], cfg['refine']['crf'])
    return cfg


def _background_options(background: Any, threshold: Any) -> tuple[dict | None, float | None]:
    if background is None:
        threshold = DEFAULT_THRESHOLD if threshold is None else threshold
        if not 0 <= threshold <= 1:
            raise ValueError(f'test_cfg.threshold must be within 0 and 1, got {threshold!r}')
        return None, threshold
    if threshold is not None:
        raise ValueError(
            f'test_cfg.threshold={threshold!r} goes with background=None only, got background={background!r}'
        )
    if not isinstance(background, Mapping) or background.keys() - {'alpha', 'constant'}:
        raise ValueError(
            f'test_cfg.background must be dict(constant=...), dict(alpha=...) or None, got {background!r}'
        )
    # A config that inherits one of the two switches it off by None.
    background = {key: value for key, value in background.items() if value is not None}
    background_score(
        torch.zeros(1, 1, 1), **background
    )  # refuses both, none, or a value out of range
    return background, None
