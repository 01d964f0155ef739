"""Any segmentor's predictions in the form of the CAM stage's."""

import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from .tta import BatchedTTAModel


@MODELS.register_module()
class ProbabilityTTAModel(BatchedTTAModel):
    """Mean of the class probabilities over scales and flips, as maps that seeds can be written from.

    Wraps a segmentor whose ``seg_logits`` are logits (1+C, H, W) at the picture's original size, as mmseg's
    ``EncoderDecoder`` returns them, and predicts what :class:`CAMSegmentor` does: ``seg_logits`` with the threshold in
    channel 0 and the probabilities, in [0, 1], of the tagged classes in the others (0 for absent tags; all classes
    where ``gt_tags`` is missing), and their argmax as ``pred_sem_seg``. So ``SeedGenerationHook``, ``SeedMetric`` and
    ``tools/make_masks.py`` work behind it; there are no tag probabilities for ``TagMetric``.

    mmseg's own ``SegTTAModel`` leaves the logits of one variant in ``seg_logits``.

    Args:
        module: The segmentor, or its config.
        threshold: Score of the background in [0, 1).

    Raises:
        ValueError: ``threshold`` is not in [0, 1); while testing, if the maps have but one channel.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        threshold: float = 0.5,
        data_preprocessor: dict | None = None,
    ) -> None:
        if not 0 <= threshold < 1:
            raise ValueError(f'threshold must be in [0, 1), got {threshold}')
        super().__init__(module, data_preprocessor)
        self.threshold = threshold

    def merge_preds(self, data_samples_list: list[list[SegDataSample]]) -> list[SegDataSample]:
        """Merge each picture's variants, a list per picture."""
        merged = []
        for variants in data_samples_list:
            sample = variants[0]
            maps = torch.stack([self._probabilities(variant) for variant in variants]).mean(dim=0)
            if 'gt_tags' in sample:
                maps[1:] *= sample.gt_tags.label.to(maps)[:, None, None] > 0.5
            maps[0] = self.threshold
            sample.set_data(
                dict(
                    seg_logits=PixelData(data=maps),
                    pred_sem_seg=PixelData(data=maps.argmax(dim=0, keepdim=True)),
                )
            )
            merged.append(sample)
        return merged

    @staticmethod
    def _probabilities(sample: SegDataSample) -> Tensor:
        logits = sample.seg_logits.data
        if len(logits) < 2:
            raise ValueError(
                f'{sample.get("img_path")}: seg_logits has {len(logits)} channel, expected one a class'
            )
        return logits.float().softmax(dim=0)
