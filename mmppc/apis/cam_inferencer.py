"""Class activation maps and masks of new pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import nn

from mmppc.apis.given_tags import GivenTags, Tags
from mmppc.apis.jobs import Job, Request, Result
from mmppc.apis.network_kind import CAM, check_kind
from mmppc.apis.output_folder import OutputFolder, Stored, picture_stream
from mmppc.apis.picture_inferencer import PictureInferencer
from mmppc.apis.picture_stream import Inputs, PictureStream
from mmppc.apis.thresholds import Threshold, resolve_threshold, warn_of_other_maps
from mmppc.functional.refine import check_refinement, refine_labels
from mmppc.models.probability_tta import ProbabilityTTAModel
from mmppc.models.segmentors import CAMSegmentor
from mmppc.refinement.masks import seed_labels
from mmppc.storage.seeds import Seed
from mmppc.utils.checkpoint import unwrap_model
from mmppc.visualization.sheet import (
    SIDE,
    Legend,
    Panel,
    draw_sheet,
    heat_panel,
    mask_panel,
    shrink_heat,
    shrink_mask,
    shrink_picture,
)


@dataclass(frozen=True)
class CAMRequest(Request):
    """Settings of one call."""

    threshold: Threshold = field(default_factory=lambda: Threshold(0.2, 'default'))
    tag_threshold: float = 0.5


class CAMInferencer(PictureInferencer):
    """Maps and masks by a network of the CAM stage (``CAMSegmentor``, with or without test-time augmentation).

    >>> inferencer = CAMInferencer('configs/ppc_seam_laptop.py', 'iter_136.pth')  # doctest: +SKIP
    >>> result = inferencer('dog.jpg')[0]  # doctest: +SKIP
    >>> result['tags'], result['cams'].shape, result['mask'].shape  # doctest: +SKIP
    ({'dog': 0.93}, (1, 375, 500), (375, 500))

    Also takes any segmentor whose ``tta_model`` is a ``ProbabilityTTAModel``, with ``tta=True`` and given tags. For the
    arguments see :class:`~mmppc.apis.picture_inferencer.PictureInferencer`.
    """

    kinds = ('masks', 'overlays', 'seeds')

    def iterate(  # type: ignore[override]
        self,
        inputs: Inputs | PictureStream,
        tags: Tags = None,
        batch_size: int = 1,
        out_dir: str | os.PathLike = '',
        *,
        threshold: float | str | os.PathLike | Threshold | None = None,
        tag_threshold: float | None = None,
        crf: str | None = None,
        crf_workers: int = 0,
        what: Sequence[str] | None = None,
        overwrite: bool = False,
        skip_broken: bool = False,
        frame_step: int = 1,
        return_datasamples: bool = False,
        return_vis: bool = False,
        show: bool = False,
        wait_time: float = 0,
    ) -> Iterator[Any]:
        """Results one after the other, in the order of the pictures; memory does not grow with their number.

        Args:
            inputs: A path of a picture, video or folder, an array (H, W, 3) uint8 BGR, or several, see
                :class:`~mmppc.apis.picture_stream.PictureStream`.
            tags: What the pictures show, see :class:`~mmppc.apis.given_tags.GivenTags`; None to have it predicted.
            batch_size: Pictures that go through the network at once, if they are of one size.
            out_dir: Where files are written: ``masks/<sample_id>.png``, ``overlays/<sample_id>.jpg``,
                ``seeds/<sample_id>.npz``. Finished ones are not made again, see
                :class:`~mmppc.apis.output_folder.OutputFolder`. Empty: none are written.
            threshold: Background score in [0, 1), or the ``seed_metric_<split>.json`` whose best threshold to take;
                None for the config's ``test_cfg.threshold``.
            tag_threshold: Probability above which a tag is predicted; the likeliest one always is. None for the
                config's ``test_cfg.tag_threshold``.
            crf: Preset of the dense CRF that refines the masks, such as ``'seed'``; None for no CRF.
            crf_workers: Processes for the CRF; 0 to work in this one. Others need the usual guard of the main module.
            what: Kinds of files, of ``'masks'``, ``'overlays'`` and ``'seeds'``; None for all.
            overwrite: Make all files again, also what was not made by an inferencer.
            skip_broken: Leave out pictures that cannot be read, with a warning; they are then in ``self.broken``.
            frame_step: Of videos every so many frames are taken.
            return_datasamples: Give the network's ``SegDataSample`` instead of a dict; ``pred_sem_seg`` is the mask.
            return_vis: Add the overlay (h, w, 3) uint8 RGB to the result as ``overlay``.
            show: Show the overlays in a window.
            wait_time: Seconds until the next one; 0 to wait for a key.

        Returns:
            An iterator over dicts with

            * ``sample_id``, and ``source``: its path, None of an array;
            * ``tags``: class name -> probability (None from a ``ProbabilityTTAModel``); ``tags_given``: False if they
              were predicted; ``tag_scores``: (C,) probabilities of all classes, or None;
            * ``classes``: (K,) channels of the tags; ``cams``: (K, H, W) float32 in [0, 1], their maps at the picture's
              size, rounded to float16 as seeds are;
            * ``mask``: (H, W) uint8, ``threshold``, ``threshold_source``, ``tag_threshold``, ``crf``: how it was made;
            * ``files``: kind -> path; ``finished``: True if the files were there already. Then ``cams`` and ``mask``
              are what they hold, None if they are not among them.

        Raises:
            FileNotFoundError: There is no such input, tag file or threshold file.
            FileExistsError: A file is in the way that no inferencer has made.
            ValueError: An argument or a picture is not as expected.
            ImportError: The CRF is asked for and pydensecrf is missing.
        """
        stream = picture_stream(inputs, frame_step, out_dir)
        settings = self._defaults
        default = Threshold(settings['threshold'], "the config's threshold")
        if tag_threshold is None:
            tag_threshold = settings['tag_threshold']
        if not 0 <= tag_threshold <= 1:
            raise ValueError(f'tag_threshold={tag_threshold}: expected a probability in [0, 1]')
        crf = None if crf == 'none' else crf
        if crf is not None:
            check_refinement('densecrf', crf)
        request = CAMRequest(
            batch_size=batch_size,
            crf=crf,
            crf_workers=crf_workers,
            skip_broken=skip_broken,
            return_datasamples=return_datasamples,
            return_vis=return_vis,
            show=show,
            wait_time=wait_time,
            what=self._check_what(batch_size, what, out_dir),
            threshold=resolve_threshold(threshold, default),
            tag_threshold=tag_threshold,
        )
        warn_of_other_maps(request.threshold, self.tta)
        given = GivenTags(tags, self.classes)
        output = None
        if request.what:
            origin = {
                **self._origin(request),
                'threshold': request.threshold.value,
                'tag_threshold': request.tag_threshold,
            }
            output = OutputFolder(out_dir, request.what, origin, self.palette, overwrite)
        return self._stream(stream, given, request, output)

    def draw(self, picture: np.ndarray, result: Mapping[str, Any]) -> np.ndarray:
        """The picture, the heat of each tag with a line along the threshold, and the mask, side by side."""
        threshold = result['threshold']
        picture = shrink_picture(picture, SIDE)
        panels = [Panel('picture', picture)]
        for name, cam in zip(result['tags'], result['cams']):
            heat = shrink_heat(cam, SIDE)
            probability = result['tags'][name]
            title = name if probability is None else f'{name} {probability:.2f}'
            panels.append(heat_panel(title, picture, heat, threshold))
        mask = shrink_mask(result['mask'], SIDE)
        panels.append(mask_panel('mask', picture, mask, self.palette))
        shown = [channel for channel in np.unique(mask) if 0 < channel < len(self.classes)]
        refined = '' if result['crf'] == 'none' else f'; CRF {result["crf"]}'
        source = result['threshold_source']
        note = f'{_about_tags(result)}; threshold {threshold:g} ({source}){refined}'
        legend = Legend(
            heat=bool(result['tags']),
            threshold=threshold,
            classes=[(self.classes[channel], self.palette[channel]) for channel in shown],
            notes=[note],
        )
        return draw_sheet(panels, legend, side=SIDE)

    def _check_config(self, cfg: Any) -> None:
        check_kind(cfg, CAM, self.tta)

    def _read_sample(self, job: Job, sample: SegDataSample, request: CAMRequest) -> Result:
        name = job.picture.sample_id
        probabilities = None
        if 'pred_tags' in sample:
            probabilities = sample.pred_tags.score.float().cpu().numpy()
        classes = self._present(job.tags, probabilities, request.tag_threshold, name)
        logits = sample.seg_logits.data[torch.from_numpy(classes).to(sample.seg_logits.data.device)]
        assert job.pixels is not None
        if tuple(logits.shape[1:]) != job.pixels.shape[:2]:
            raise ValueError(
                f'{name}: maps of size {tuple(logits.shape[1:])}, expected the original size {job.pixels.shape[:2]}'
            )
        # As seeds are stored, so that masks made of their files are the same.
        cams = logits.half().float().cpu().numpy()
        seed = Seed(cams, classes, len(self.classes))
        return dict(
            sample_id=name,
            source=None if job.picture.path is None else str(job.picture.path),
            tags={
                self.classes[channel]: None
                if probabilities is None
                else float(probabilities[channel - 1])
                for channel in classes
            },
            tags_given=job.tags is not None,
            tag_scores=probabilities,
            classes=classes,
            cams=cams,
            mask=seed_labels(seed, request.threshold.value),
            **_settings_of(request),
        )

    @staticmethod
    def _present(
        tags: np.ndarray | None, probabilities: np.ndarray | None, threshold: float, name: str
    ) -> np.ndarray:
        """Channels (K,) of the given or the predicted tags, as :meth:`CAMSegmentor.finish` predicts them."""
        if tags is not None:
            return np.flatnonzero(tags) + 1
        if probabilities is None:
            raise ValueError(f'{name}: this network predicts no tags, expected given ones')
        found = probabilities > threshold
        found[probabilities.argmax()] = True
        return np.flatnonzero(found) + 1

    def _refinement(self, job: Job, request: CAMRequest) -> tuple[Callable, tuple]:
        result = job.result
        arguments = (
            job.rgb,
            result['cams'],
            result['classes'],
            len(self.classes),
            request.threshold.value,
            request.crf,
        )
        return _refine, arguments

    def _restore(self, job: Job, stored: Stored, request: CAMRequest) -> Result:
        tags, scores = stored.record['tags'], stored.record['tag_scores']
        return dict(
            sample_id=job.picture.sample_id,
            source=str(job.picture.path),
            tags=tags,
            tags_given=job.tags is not None,
            tag_scores=None if scores is None else np.array(scores, np.float32),
            classes=np.array([self.classes.index(name, 1) for name in tags], np.int64),
            cams=None if stored.seed is None else stored.seed.scores,
            mask=stored.mask,
            **_settings_of(request),
        )

    def _facts(self, result: Result) -> dict[str, Any]:
        scores = result['tag_scores']
        return {
            **{key: result[key] for key in ('tags', 'threshold', 'threshold_source')},
            'tag_scores': None if scores is None else scores.tolist(),
        }

    def _seed(self, job: Job) -> Seed:
        result = job.result
        origin = job.record['origin']
        # What SeedGenerationHook records, so that tools/make_masks.py takes these seeds too.
        meta = {
            'weights': origin['weights'],
            'settings': origin['settings'],
            'checkpoint': self.weights,
            'sample_id': result['sample_id'],
            'size': list(result['mask'].shape),
            'background': result['threshold'],
        }
        return Seed(result['cams'], result['classes'], len(self.classes), meta)

    def _finish_sample(self, sample: SegDataSample, result: Result) -> SegDataSample:
        """The prediction as of this call's thresholds."""
        scores = sample.seg_logits.data
        absent = np.setdiff1d(np.arange(1, len(self.classes)), result['classes'])
        scores[torch.from_numpy(absent).to(scores.device)] = 0
        scores[0] = result['threshold']
        return super()._finish_sample(sample, result)

    def _init_model(self, cfg: Any, weights: str | None, device: str = 'cpu') -> nn.Module:
        model = super()._init_model(cfg, weights, device)
        if isinstance(model, ProbabilityTTAModel):
            self._defaults = dict(threshold=model.threshold, tag_threshold=0.5)
        else:
            network = unwrap_model(model)
            assert isinstance(network, CAMSegmentor)
            settings = network.test_cfg
            self._defaults = {key: settings[key] for key in ('threshold', 'tag_threshold')}
            # All maps are kept; which tags count depends on the call.
            settings['tag_threshold'] = -1.0
        return model


def _about_tags(result: Mapping[str, Any]) -> str:
    """Where the tags of a result come from."""
    if result['tags_given']:
        return 'tags given' if result['tags'] else 'given: no tag'
    if all(value > result['tag_threshold'] for value in result['tags'].values()):
        return f'tags predicted (above {result["tag_threshold"]:g})'
    return f'tag predicted: none is above {result["tag_threshold"]:g}, this is the likeliest'


def _settings_of(request: CAMRequest) -> dict[str, Any]:
    threshold = request.threshold
    return dict(
        threshold=threshold.value,
        threshold_source=threshold.source,
        tag_threshold=request.tag_threshold,
        crf=request.crf or 'none',
    )


def _refine(
    picture: np.ndarray,
    cams: np.ndarray,
    classes: np.ndarray,
    num_classes: int,
    threshold: float,
    crf: str,
) -> np.ndarray:
    """Mask (H, W) by the dense CRF, as of :func:`mmppc.refinement.masks.make_pseudo_masks`."""
    background = np.full((1, *cams.shape[1:]), threshold, np.float32)
    scores = torch.from_numpy(np.concatenate([background, cams]))
    return refine_labels(
        picture, scores, np.append(0, classes), num_classes, method='densecrf', crf=crf
    )
