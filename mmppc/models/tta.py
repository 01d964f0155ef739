"""Merging of predictions at several scales and flips."""

from typing import Any

import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample


class BatchedTTAModel(BaseTTAModel):
    """Runs variants of equal size, such as a picture and its mirror image, in one batch."""

    def test_step(self, data: dict[str, list]) -> list[SegDataSample]:
        """Predict all variants of a batch, ``inputs[variant][picture]``, and merge them."""
        groups: list[list[int]] = []
        for index, inputs in enumerate(data['inputs']):
            if groups and data['inputs'][groups[-1][0]][0].shape == inputs[0].shape:
                groups[-1].append(index)
            else:
                groups.append([index])
        merged: list[list[Any]] = []
        for group in groups:
            joined = {
                key: [item for index in group for item in value[index]]
                for key, value in data.items()
            }
            samples = self.predict_variants(joined)
            number = len(samples) // len(group)
            merged += [samples[k * number : (k + 1) * number] for k in range(len(group))]
        return self.merge_preds([list(variants) for variants in zip(*merged)])

    def predict_variants(self, data: dict[str, list]) -> list[SegDataSample]:
        """What :meth:`merge_preds` needs of a batch of equal size, ``inputs[k]``."""
        return self.module.test_step(data)


@MODELS.register_module()
class CAMTTAModel(BatchedTTAModel):
    """Sum of the class activation maps over scales and flips, normalised once (reference sheet, section 7).

    Wraps a :class:`CAMSegmentor`; the predictions have the same form as its own.
    """

    def predict_variants(self, data: dict[str, list]) -> list[SegDataSample]:
        """Raw maps only: normalising each variant would be in vain."""
        return self.module.predict_raw(**self.module.data_preprocessor(data, False))

    def merge_preds(self, data_samples_list: list[list[SegDataSample]]) -> list[SegDataSample]:
        """Merge each picture's variants, a list per picture."""
        merged = []
        for variants in data_samples_list:
            sample = variants[0]
            raw = torch.stack([variant.raw_cams.data for variant in variants]).sum(dim=0)
            sample.raw_cams = PixelData(data=raw)
            scores = torch.stack([variant.pred_tags.score for variant in variants])
            sample.pred_tags.score = scores.mean(dim=0)
            merged.append(self.module.finish(sample))
        return merged


@MODELS.register_module()
class LogitTTAModel(BatchedTTAModel):
    """Mean of the logits over scales and flips, as the published DeepLab tests do.

    mmseg's own ``SegTTAModel`` averages probabilities instead.
    """

    def merge_preds(self, data_samples_list: list[list[SegDataSample]]) -> list[SegDataSample]:
        """Merge each picture's variants, a list per picture."""
        merged = []
        for variants in data_samples_list:
            sample = variants[0]
            logits = torch.stack([variant.seg_logits.data for variant in variants]).mean(dim=0)
            sample.set_data(
                dict(
                    seg_logits=PixelData(data=logits),
                    pred_sem_seg=PixelData(data=logits.argmax(dim=0, keepdim=True)),
                )
            )
            merged.append(sample)
        return merged
