import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

import mmppc  # noqa: F401

WEIGHTS = [0.2, 1.0, 3.0]


def build(**options):
    return MODELS.build(dict(type='WeightedCrossEntropyLoss', class_weight=WEIGHTS, **options))


@pytest.fixture
def pixels():
    torch.manual_seed(0)
    labels = torch.randint(3, (2, 5, 4))
    labels[:, :, 2:] = 255  # as where a crop is padded
    return torch.randn(2, 3, 5, 4, requires_grad=True), labels


def test_it_is_torchs_mean_over_labelled_pixels(pixels):
    logits, labels = pixels
    loss = build(loss_weight=2.0)(logits, labels, ignore_index=255)
    expected = 2 * F.cross_entropy(logits, labels, torch.tensor(WEIGHTS), ignore_index=255)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        *(torch.autograd.grad(value, logits)[0] for value in (loss, expected))
    )


def test_weights_of_pixels(pixels):
    logits, labels = pixels
    loss = build()
    half = loss(logits, labels, weight=torch.full(labels.shape, 0.5))
    torch.testing.assert_close(half, loss(logits, labels) / 2)
    mask = (torch.arange(5)[:, None] < 2).expand(2, 5, 4)
    upper = loss(logits, labels, weight=mask.float())
    torch.testing.assert_close(upper + loss(logits, labels, weight=1 - mask.float()), 2 * half)


def test_no_labelled_pixel_is_no_loss(pixels):
    logits, labels = pixels
    loss = build()(logits, torch.full_like(labels, 255))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_another_ignored_label(pixels):
    logits, labels = pixels
    labels = labels.where(labels < 255, 1)
    expected = F.cross_entropy(logits, labels, torch.tensor(WEIGHTS), ignore_index=1)
    torch.testing.assert_close(build()(logits, labels, ignore_index=1), expected)


def test_in_a_head():
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    head = MODELS.build(
        dict(
            type='mmseg.FCNHead',
            in_channels=4,
            channels=4,
            num_classes=3,
            num_convs=0,
            concat_input=False,
            loss_decode=dict(
                type='WeightedCrossEntropyLoss', class_weight=WEIGHTS, loss_name='loss_own'
            ),
        )
    )
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.tensor([[[0, 1], [2, 255]]])))
    losses = head.loss([torch.randn(1, 4, 2, 2)], [sample], {})
    assert losses['loss_own'].item() > 0
    assert 'class_weight' not in ' '.join(head.state_dict())


@pytest.mark.parametrize('weights', [[0.0, 0.0], [1.0, -1.0]])
def test_wrong_weights(weights):
    with pytest.raises(ValueError, match='class_weight must be >= 0 and not all 0'):
        MODELS.build(dict(type='WeightedCrossEntropyLoss', class_weight=weights))
