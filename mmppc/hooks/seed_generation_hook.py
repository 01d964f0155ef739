"""Seeds written while a network is tested."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.structures import LabelData, PixelData
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample

from mmppc.hooks.finished_pictures import FinishedPicturesHook
from mmppc.storage.seeds import load_seed, save_seed


@HOOKS.register_module()
class SeedGenerationHook(FinishedPicturesHook):
    """Writes ``<out_dir>/<sample_id>.npz`` for every picture of the test set; continues when stopped.

    A seed holds the scores of the picture's tagged classes (``gt_tags.label``, else every channel
    with a positive score) at the original size, as float16, and in its ``meta`` where it came from.

    **Finished pictures are not run again.** A picture is finished if its seed can be read, and was
    written for the same tags by the same weights, model and test pipeline (their digests are in
    ``meta``) under the same ``meta``. Metrics get the predictions of finished pictures from their files:
    ``seg_logits`` (rounded to float16, as ``SeedMetric`` does anyway), their argmax as ``pred_sem_seg``, and
    ``pred_tags.score``.

    Args:
        out_dir: Folder of the seeds; None for ``seeds`` in the runner's work folder.
        overwrite: Run and write all pictures, finished or not.
        meta: Conditions to record in each seed, e.g. ``dict(scales=[0.5, 1, 1.5, 2], flip=True)``.

    Raises:
        ValueError: While testing, if a dataset gives no ``sample_id`` or predictions are not in [0, 1] or not
            of the picture's original size.
    """

    def __init__(
        self,
        out_dir: str | None = None,
        overwrite: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__('seeds', '.npz', out_dir, overwrite, meta)

    def write(self, sample: SegDataSample) -> None:
        """Write the seed of a prediction."""
        name = sample.metainfo.get('sample_id')
        path = self.path_of(name, sample.metainfo.get('img_path'))
        logits = sample.seg_logits.data
        size, found = tuple(sample.metainfo['ori_shape'][:2]), tuple(logits.shape[1:])
        if size != found:
            raise ValueError(
                f'{name}: seg_logits of size {found}, expected the original size {size}'
            )
        if 'gt_tags' in sample:
            present = sample.gt_tags.label.to(logits.device) > 0.5
        else:
            present = logits[1:].amax(dim=(1, 2)) > 0
        channels = present.nonzero()[:, 0] + 1
        meta = {
            **self.origin,
            'sample_id': name,
            'size': list(size),
            'background': float(logits[0, 0, 0]),
        }
        if 'pred_tags' in sample:
            meta['tag_scores'] = sample.pred_tags.score.float().cpu().tolist()
        save_seed(
            path,
            logits[channels].float().cpu().numpy(),
            channels.cpu().numpy(),
            num_classes=len(logits),
            meta=meta,
        )

    def is_finished(self, info: Mapping[str, Any]) -> bool:
        """Whether the seed can be read and is of these tags, weights, settings and conditions."""
        path = self.path_of(info.get('sample_id'), info.get('img_path'))
        try:
            seed = load_seed(path)
        except FileNotFoundError:
            return False
        except ValueError as error:
            print_log(f'{error}; it is made again', logger='current', level=logging.WARNING)
            return False
        tags = info.get('tags')
        if tags is not None and not np.array_equal(np.flatnonzero(tags) + 1, seed.classes):
            return False
        return self.same_origin(seed.meta)

    def restore(self, sample: SegDataSample) -> None:
        """Give a data sample the prediction that its seed was written from."""
        seed = load_seed(self.path_of(sample.sample_id, None))
        logits = torch.from_numpy(seed.dense())
        logits[0] = seed.meta['background']
        sample.set_data(
            {
                'seg_logits': PixelData(data=logits),
                'pred_sem_seg': PixelData(data=logits.argmax(dim=0, keepdim=True)),
            }
        )
        if 'tag_scores' in seed.meta:
            sample.pred_tags = LabelData(score=torch.tensor(seed.meta['tag_scores']))
