"""Masks of new pictures by a segmentation network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmseg.structures import SegDataSample

from mmppc.apis.given_tags import GivenTags, Tags
from mmppc.apis.jobs import Job, Request, Result
from mmppc.apis.network_kind import SEGMENTATION, check_kind
from mmppc.apis.output_folder import OutputFolder, Stored, picture_stream
from mmppc.apis.picture_inferencer import PictureInferencer
from mmppc.apis.picture_stream import Inputs, PictureStream
from mmppc.functional.dense_crf import crf_from_probabilities, crf_preset, require_densecrf
from mmppc.models.tta import LogitTTAModel
from mmppc.visualization.sheet import (
    SIDE,
    Legend,
    Panel,
    draw_sheet,
    mask_panel,
    shrink_mask,
    shrink_picture,
)


class SegInferencer(PictureInferencer):
    """Masks by any segmentor of MMSegmentation, such as a DeepLab that was trained on pseudo masks.

    Called as :class:`CAMInferencer`, but for what only that has: tags, thresholds, seeds.

    >>> inferencer = SegInferencer('deeplab.py', 'iter_20000.pth', tta=True)  # doctest: +SKIP
    >>> for result in inferencer.iterate('pictures', out_dir='out'):  # doctest: +SKIP
    ...     print(result['sample_id'], result['files']['masks'])

    For the arguments see :class:`~mmppc.apis.picture_inferencer.PictureInferencer`.
    """

    def iterate(  # type: ignore[override]
        self,
        inputs: Inputs | PictureStream,
        tags: Tags = None,
        batch_size: int = 1,
        out_dir: str | os.PathLike = '',
        *,
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
            inputs: As for :meth:`CAMInferencer.iterate`, like all further arguments but these.
            tags: Only None: a segmentation network takes none.
            crf: Preset of the dense CRF over the probabilities, such as ``'deeplab'``; None for no CRF.
            what: Kinds of files, of ``'masks'`` and ``'overlays'``; None for both.

        Returns:
            An iterator over dicts with ``sample_id``; ``source``: path, None of an array; ``mask``: (H, W) uint8, class
            numbers at the picture's size; ``crf``: preset or ``'none'``; ``files``: kind -> path; ``finished``: True if
            the files were there already, and then ``mask`` is None if it is not among them.

        Raises:
            FileNotFoundError: There is no such input.
            FileExistsError: A file is in the way that no inferencer has made.
            ValueError: An argument or a picture is not as expected.
            ImportError: The CRF is asked for and pydensecrf is missing.
        """
        if tags is not None:
            raise ValueError(
                'tags: a segmentation network finds the classes itself, expected None; a CAM network takes tags'
            )
        stream = picture_stream(inputs, frame_step, out_dir)
        crf = None if crf == 'none' else crf
        if crf is not None:
            self._check_crf(crf)
        request = Request(
            batch_size=batch_size,
            crf=crf,
            crf_workers=crf_workers,
            skip_broken=skip_broken,
            return_datasamples=return_datasamples,
            return_vis=return_vis,
            show=show,
            wait_time=wait_time,
            what=self._check_what(batch_size, what, out_dir),
        )
        given = GivenTags(None, self.classes)
        output = None
        if request.what:
            origin = self._origin(request)
            output = OutputFolder(out_dir, request.what, origin, self.palette, overwrite)
        return self._stream(stream, given, request, output)

    def draw(self, picture: np.ndarray, result: Mapping[str, Any]) -> np.ndarray:
        """The picture and its mask, side by side."""
        picture, mask = shrink_picture(picture, SIDE), shrink_mask(result['mask'], SIDE)
        shown = [channel for channel in np.unique(mask) if 0 < channel < len(self.classes)]
        panels = [Panel('picture', picture), mask_panel('mask', picture, mask, self.palette)]
        notes = [] if shown else ['nothing but background']
        notes += [] if result['crf'] == 'none' else [f'CRF {result["crf"]}']
        classes = [(self.classes[channel], self.palette[channel]) for channel in shown]
        return draw_sheet(
            panels, Legend(classes=classes, notes=['; '.join(notes)] if notes else []), side=SIDE
        )

    def _check_config(self, cfg: Any) -> None:
        check_kind(cfg, SEGMENTATION, self.tta)

    def _check_crf(self, crf: str) -> None:
        if crf_preset(crf).unary != 'scores':
            raise ValueError(
                f"crf={crf!r}: takes labels, expected a preset for probabilities, e.g. 'deeplab'"
            )
        require_densecrf()
        if self.tta and not isinstance(self.model, LogitTTAModel):
            raise ValueError(
                f'crf={crf!r} with tta_model.type={type(self.model).__name__!r}: that keeps no merged scores, expected '
                'LogitTTAModel'
            )

    def _read_sample(self, job: Job, sample: SegDataSample, request: Request) -> Result:
        name = job.picture.sample_id
        mask = sample.pred_sem_seg.data[0].cpu().numpy()
        assert job.pixels is not None
        if mask.shape != job.pixels.shape[:2]:
            raise ValueError(
                f'{name}: mask of size {mask.shape}, expected the original size {job.pixels.shape[:2]}'
            )
        if mask.max() > 255:
            raise ValueError(f'{name}: class {mask.max()}, expected at most 255: masks are 8-bit')
        if request.crf is not None:
            if len(sample.seg_logits.data) < 2:
                raise ValueError(f'{name}: the network has one output, a CRF needs one a class')
            job.probabilities = sample.seg_logits.data.float().softmax(dim=0).cpu().numpy()
        return dict(
            sample_id=name,
            source=None if job.picture.path is None else str(job.picture.path),
            mask=mask.astype(np.uint8),
            crf=request.crf or 'none',
        )

    def _refinement(self, job: Job, request: Request) -> tuple[Callable, tuple]:
        probabilities, job.probabilities = job.probabilities, None
        return _refine, (job.rgb, probabilities, request.crf)

    def _restore(self, job: Job, stored: Stored, request: Request) -> Result:
        return dict(
            sample_id=job.picture.sample_id,
            source=str(job.picture.path),
            mask=stored.mask,
            crf=request.crf or 'none',
        )


def _refine(picture: np.ndarray, probabilities: np.ndarray, crf: str) -> np.ndarray:
    """Mask (H, W) by the dense CRF, as ``MaskMetric`` makes it."""
    return crf_from_probabilities(picture, probabilities, crf).argmax(axis=0).astype(np.uint8)
