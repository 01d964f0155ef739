"""The network of the CAM stage: a host method and its regularisers as named terms."""

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmengine.structures import LabelData, PixelData
from mmseg.models.segmentors import BaseSegmentor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmppc.functional.cam import min_max_normalize
from mmppc.functional.classification import pool_maps

from ..outputs import ViewOutput
from ..views import resize_maps

TEST_DEFAULTS: dict[str, Any] = dict(
    maps='auto',
    activation='relu',
    upsample='via_input',
    normalize='min_max',
    threshold=0.2,
    tag_threshold=0.5,
)
TEST_CHOICES = dict(
    maps=('auto', 'refined', 'logits'),
    activation=('relu', 'softmax', 'none'),
    upsample=('via_input', 'direct'),
    normalize=('min_max', 'max'),
)


@MODELS.register_module()
class CAMSegmentor(BaseSegmentor):
    """Classification network with class activation maps, trained from image tags on one or two views.

    At inference the neck, the view and the losses are not run.

    ``loss_scales`` maps names of ``losses`` to factors of all their terms, 1 where a name is missing. It is not part of
    the weights; :class:`mmppc.hooks.LossRampHook` sets it before each iteration.

    Args:
        backbone: Any backbone that returns a tuple of feature maps.
        decode_head: A :class:`CAMHead`.
        losses: Named terms. Each is called with the views' outputs and the tags (N, C) and returns named scalars.
        neck: A :class:`PixelProjector` for terms that need embeddings.
        view: Makes the second view, for instance :class:`RescaleView`; None trains on one.
        test_cfg: ``maps`` that become the prediction (``refined``, ``logits`` or ``auto``: refined where there are);
            their ``activation`` (``relu``, ``softmax`` or ``none``); how to ``upsample`` to the original size:
            ``via_input`` by way of the network input's size, as SEAM does, or ``direct`` from the grid, as EPS does;
            ``normalize`` by ``min_max`` or by the ``max``; the background's ``threshold``; ``tag_threshold``, the
            probability above which a tag is predicted for pictures that come without.
        data_preprocessor: As in mmseg.
        train_cfg: Not used; mmseg's configs carry it.
        init_cfg: As in mmengine.

    Raises:
        ValueError: An entry of ``test_cfg`` is unknown.
    """

    def __init__(
        self,
        backbone: dict,
        decode_head: dict,
        losses: dict[str, dict | None],
        neck: dict | None = None,
        view: dict | None = None,
        test_cfg: dict | None = None,
        train_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.decode_head = MODELS.build(decode_head)
        self.neck = MODELS.build(neck) if neck else None
        self.view = MODELS.build(view) if view else None
        self.losses = nn.ModuleDict(
            {name: MODELS.build(loss) for name, loss in losses.items() if loss}
        )
        self.loss_scales: dict[str, float] = {}
        self.pools_upsampled = any(
            getattr(loss, 'pool', None) == 'upsampled' for loss in self.losses.values()
        )
        self.num_classes = self.decode_head.num_classes
        self.test_cfg = {**TEST_DEFAULTS, **(test_cfg or {})}
        for key, value in self.test_cfg.items():
            if key not in TEST_DEFAULTS:
                raise ValueError(f'test_cfg has no entry {key!r}; it has {sorted(TEST_DEFAULTS)}')
            if key in TEST_CHOICES and value not in TEST_CHOICES[key]:
                raise ValueError(
                    f'test_cfg.{key} must be one of {TEST_CHOICES[key]}, got {value!r}'
                )

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """All feature maps of the backbone for pictures (N, 3, H, W)."""
        taps = self.backbone(inputs)
        return tuple(taps) if isinstance(taps, (list, tuple)) else (taps,)

    def forward_view(self, inputs: Tensor, project: bool = True) -> ViewOutput:
        """Maps and features of pictures (N, 3, H, W); ``project`` False leaves the embeddings out."""
        taps = self.extract_feat(inputs)
        feature = self.decode_head.select(taps)
        logits = self.decode_head(feature).float()
        refine = self.decode_head.refine
        needs_refine = refine is not None and not (not project and self._map_name() == 'logits')
        return ViewOutput(
            logits=logits,
            size=(inputs.shape[-2], inputs.shape[-1]),
            refined=refine(logits, inputs, taps) if needs_refine else None,
            embeddings=self.neck(feature).float() if project and self.neck is not None else None,
        )

    def forward_views(self, inputs: Tensor, saliency: Tensor | None = None) -> list[ViewOutput]:
        """What a training compares of pictures (N, 3, H, W): the first view, and the second one if there is a ``view``.

        ``saliency`` (N, 1, H, W) in [0, 1] goes with the views.
        """
        views = [self.forward_view(inputs)]
        views[0].saliency = saliency
        if self.view is not None:
            second_inputs, warp = self.view(inputs)
            second = self.forward_view(second_inputs)
            second.warp = warp
            second.valid = getattr(warp, 'valid', None)
            second.saliency = None if saliency is None else warp(saliency, second.size)
            views.append(second)
        return views

    def loss(self, inputs: Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """All terms of a batch (N, 3, H, W); each sample carries ``gt_tags.label`` (C,)."""
        tags = self.tags_of(data_samples)
        views = self.forward_views(inputs, self.saliency_of(data_samples))
        result: dict[str, Tensor] = {}
        for name, values in self.loss_terms(views, tags).items():
            doubled = result.keys() & values.keys()
            if doubled:
                raise ValueError(f'losses.{name} repeats {sorted(doubled)} of another term')
            result.update(values)
        return result

    def loss_terms(self, views: list[ViewOutput], tags: Tensor) -> dict[str, dict[str, Tensor]]:
        """The terms of each of ``losses``, by its name, times its factor in ``loss_scales``."""
        result = {}
        # The terms need float32: they normalise by small numbers and take exponentials of large ones.
        with torch.autocast(views[0].logits.device.type, enabled=False):
            for name, loss in self.losses.items():
                # A loss of factor 0 is computed like any other: each parameter keeps a gradient, on every rank.
                scale = self.loss_scales.get(name, 1.0)
                result[name] = {key: scale * value for key, value in loss(views, tags).items()}
        return result

    def tags_of(self, data_samples: list[SegDataSample]) -> Tensor:
        """Tags (N, C) of samples that all have some, for as many classes as the head knows."""
        for sample in data_samples:
            if 'gt_tags' not in sample:
                raise ValueError(
                    f"{sample.get('img_path')}: training needs tags, found none; set the dataset's tag_file"
                )
        tags = torch.stack([sample.gt_tags.label for sample in data_samples])
        if tags.shape[1] != self.num_classes - 1:
            raise ValueError(
                f'the head has {self.num_classes - 1} classes beside the background (num_classes='
                f'{self.num_classes}), the tags have {tags.shape[1]}'
            )
        return tags

    @staticmethod
    def saliency_of(data_samples: list[SegDataSample]) -> Tensor | None:
        """Saliency maps (N, 1, H, W) in [0, 1] of pictures that all have one, ``gt_saliency`` (1, H, W)."""
        if not all('gt_saliency' in sample for sample in data_samples):
            return None
        return torch.stack([sample.gt_saliency.data for sample in data_samples])

    def _map_name(self) -> str:
        name = self.test_cfg['maps']
        if name == 'auto':
            return 'refined' if self.decode_head.refine is not None else 'logits'
        return name

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Maps to predict from, (N, 1+C, h, w), after the activation."""
        return self._activate(self.forward_view(inputs, project=False))

    def _activate(self, view: ViewOutput) -> Tensor:
        maps = view.logits if self._map_name() == 'logits' else view.refined
        if maps is None:
            raise ValueError(
                "test_cfg.maps='refined' needs refined maps: set `refine` in `decode_head`"
            )
        if self.test_cfg['activation'] == 'softmax':
            return maps.softmax(dim=1)
        return maps.relu() if self.test_cfg['activation'] == 'relu' else maps

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Scores of the tagged classes at each picture's original size.

        Pictures (N, 3, H, W) without ``gt_tags`` get the classes whose probability exceeds ``tag_threshold``, at
        least the likeliest.

        Returns:
            The samples with ``seg_logits`` (1+C, H, W): the threshold in channel 0, normalised scores in [0, 1] of
            present classes, 0 for others; ``pred_sem_seg`` (1, H, W); and what :meth:`predict_raw` writes.
        """
        return [self.finish(sample) for sample in self.predict_raw(inputs, data_samples)]

    def predict_raw(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """The part of :meth:`predict` that each scale and flip needs; :meth:`finish` does the rest once.

        Returns:
            The samples with ``pred_tags.score`` (C,) probabilities, of the average of the maps that tags are trained
            with (``pool`` of the loss); ``pred_tags.label`` (K,) the channels to predict; and ``raw_cams`` (K, H, W),
            their maps before normalisation at the picture's original size.
        """
        view = self.forward_view(inputs, project=False)
        maps = self._activate(view)
        scores = pool_maps(view.logits, view.size if self.pools_upsampled else None)[
            :, 1:
        ].sigmoid()
        if data_samples is None:
            data_samples = [
                SegDataSample(metainfo=dict(ori_shape=view.size, img_shape=view.size)) for _ in maps
            ]
        for sample, sample_maps, score in zip(data_samples, maps, scores):
            classes = self._classes(sample, score)
            raw = self._to_picture(sample_maps[classes], sample, view.size)
            sample.pred_tags = LabelData(score=score, label=classes)
            sample.raw_cams = PixelData(data=raw)
        return data_samples

    def _classes(self, sample: SegDataSample, score: Tensor) -> Tensor:
        """Channels to predict, (K,): the given tags', or all where tags are unknown."""
        if 'gt_tags' not in sample:
            return torch.arange(1, self.num_classes, device=score.device)
        label = sample.gt_tags.label
        if len(label) != self.num_classes - 1:
            raise ValueError(
                f'{sample.get("img_path")}: the head has {self.num_classes - 1} classes beside the background, '
                f'the tags have {len(label)}'
            )
        return label.to(score.device).nonzero().squeeze(1) + 1

    def _to_picture(self, maps: Tensor, sample: SegDataSample, size: tuple[int, int]) -> Tensor:
        """Bring maps (K, h, w) of a network input of ``size`` to the picture's original size and side.

        What the data preprocessor has padded on the right and below is cut off.
        """
        if not len(maps):
            return maps.new_zeros(0, *sample.ori_shape[:2])
        maps = maps[None]
        height, width = sample.get('img_shape', size)[:2]
        if self.test_cfg['upsample'] == 'via_input' or (height, width) != tuple(size):
            maps = resize_maps(maps, size)[..., :height, :width]
        if sample.get('flip'):
            maps = maps.flip(dims=(3 if sample.get('flip_direction') == 'horizontal' else 2,))
        maps = F.interpolate(
            maps, size=tuple(sample.ori_shape[:2]), mode='bilinear', align_corners=False
        )
        return maps[0]

    def finish(self, sample: SegDataSample) -> SegDataSample:
        """Write the prediction into a sample of :meth:`predict_raw`: its normalised maps and their argmax."""
        raw, classes = sample.raw_cams.data, sample.pred_tags.label
        normalised = raw
        if len(raw):
            if self.test_cfg['normalize'] == 'min_max':
                normalised = min_max_normalize(raw)
            else:
                positive = raw.relu()
                normalised = positive / (positive.amax(dim=(-2, -1), keepdim=True) + 1e-5)
        if 'gt_tags' not in sample:
            scores = sample.pred_tags.score
            found = scores > self.test_cfg['tag_threshold']
            found[scores.argmax()] = True
            normalised = normalised * found[classes - 1][:, None, None]
        seg_logits = raw.new_zeros(self.num_classes, *raw.shape[-2:])
        seg_logits[0] = self.test_cfg['threshold']
        seg_logits[classes] = normalised
        sample.set_data(
            dict(
                seg_logits=PixelData(data=seg_logits),
                pred_sem_seg=PixelData(data=seg_logits.argmax(dim=0, keepdim=True)),
            )
        )
        return sample

    def _forward(self, inputs: Tensor, data_samples: Any = None) -> Tensor:
        """Raw maps (N, 1+C, h, w)."""
        return self.forward_view(inputs, project=False).logits
