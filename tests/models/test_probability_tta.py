"""ProbabilityTTAModel: what a seed needs, from logits at several scales and flips."""

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.structures import LabelData, PixelData
from mmseg.structures import SegDataSample

from mmppc.models.probability_tta import ProbabilityTTAModel


class InputAsLogits(BaseModel):
    """Predicts its input."""

    def forward(self, inputs, data_samples=None, mode='tensor'):
        for logits, sample in zip(inputs, data_samples):
            sample.seg_logits = PixelData(data=logits)
        return data_samples


def predict(variants, tags=None, **options):
    """The prediction of one picture from the logits of its variants."""
    samples = []
    for _ in variants:
        sample = SegDataSample(metainfo=dict(img_path='a.jpg'))
        if tags is not None:
            sample.gt_tags = LabelData(label=torch.tensor(tags))
        samples.append([sample])
    model = ProbabilityTTAModel(InputAsLogits(), **options)
    return model.test_step(dict(inputs=[[logits] for logits in variants], data_samples=samples))[0]


def test_mean_of_probabilities_behind_the_threshold():
    draw = torch.Generator().manual_seed(0)
    variants = [3 * torch.randn(3, 4, 5, generator=draw) for _ in range(4)]
    sample = predict(variants, threshold=0.4)
    maps = sample.seg_logits.data
    exponents = [variant.exp() for variant in variants]
    expected = sum(e / e.sum(dim=0) for e in exponents) / 4
    torch.testing.assert_close(maps[1:], expected[1:])
    assert (maps[0] == 0.4).all()
    label = expected[1:].argmax(dim=0) + 1
    label[expected[1:].amax(dim=0) <= 0.4] = 0
    assert (sample.pred_sem_seg.data[0] == label).all()
    assert set(label.unique().tolist()) == {0, 1, 2}


def test_absent_tags_score_nothing():
    variant = torch.tensor([0.0, 5.0, 2.0]).reshape(3, 1, 1).expand(3, 2, 2)
    maps = predict([variant], tags=[0.0, 1.0]).seg_logits.data
    assert (maps[1] == 0).all()
    torch.testing.assert_close(maps[2], variant.softmax(dim=0)[2])


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match=r'threshold must be in \[0, 1\), got 1'):
        ProbabilityTTAModel(InputAsLogits(), threshold=1.0)
    with pytest.raises(ValueError, match=r'a\.jpg: seg_logits has 1 channel'):
        predict([torch.zeros(1, 2, 2)])
