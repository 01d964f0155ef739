import pytest
import torch

from mmppc.functional.classification import pool_maps, tag_classification
from tests.functional.golden import seam_inputs
from tests.reference.seam import literal_tag_classification


def random_logits(seed=0, height=4, width=3):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 4, height, width, generator=generator, dtype=torch.float64)
    return logits.requires_grad_(), torch.tensor([[1.0, 0, 1], [0, 0, 0]])


@pytest.mark.parametrize(('view', 'expected'), [(0, 0.69210226), (1, 0.69716749)])
def test_golden(view, expected):
    cams, _, tags = seam_inputs()
    assert tag_classification(cams[view], tags).item() == pytest.approx(expected, abs=1e-8)
    literal = literal_tag_classification(cams[view], tags)
    assert literal.item() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize('size', [None, (9, 10), (4, 3), (3, 2), (1, 1)])
def test_literal(size):
    logits, tags = random_logits()
    loss = tag_classification(logits, tags, size=size)
    expected = literal_tag_classification(logits, tags, size)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    actual, wanted = (torch.autograd.grad(value, logits)[0] for value in (loss, expected))
    torch.testing.assert_close(actual, wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize('size', [None, (9, 10)])
def test_gradcheck(size):
    logits, tags = random_logits(1)
    assert torch.autograd.gradcheck(lambda x: tag_classification(x, tags, size=size), (logits,))


def test_background_takes_no_part():
    logits, tags = random_logits(2)
    tag_classification(logits, tags).backward()
    assert logits.grad[:, 0].abs().max() == 0
    assert logits.grad[:, 1:].abs().min() > 0


def test_border_weighs_as_published():
    """56 px maps averaged at 448 px: interior 1.03, border 0.58, corners 0.33 of the plain mean."""
    logits = torch.zeros(1, 2, 56, 56, dtype=torch.float64, requires_grad=True)
    tag_classification(logits, torch.ones(1, 1), size=(448, 448)).backward()
    weights = logits.grad[0, 1] / logits.grad[0, 1].mean()
    assert weights[28, 28].item() == pytest.approx(1.03, abs=0.005)
    assert weights[0, 28].item() == pytest.approx(0.58, abs=0.005)
    assert weights[-1, -1].item() == pytest.approx(0.33, abs=0.005)


@pytest.mark.parametrize('size', [None, (5, 5)])
def test_degenerate(size):
    """One pixel, huge scores and no tag stay finite."""
    for shape, scale in (((1, 3, 1, 1), 1.0), ((2, 3, 2, 2), 1e4)):
        logits = torch.full(shape, scale, requires_grad=True)
        for tags in (torch.zeros(shape[0], 2), torch.ones(shape[0], 2)):
            loss = tag_classification(logits, tags, size=size)
            assert torch.isfinite(loss)
            assert torch.isfinite(torch.autograd.grad(loss, logits)[0]).all()


def test_tags_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r'expected \(N, 1\+C, h, w\) and \(N, C\)'):
        tag_classification(torch.rand(2, 4, 4, 4), torch.ones(2, 1))


def test_pooling_keeps_float32_under_autocast():
    maps = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    expected = pool_maps(maps, (40, 56))
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(pool_maps(maps, (40, 56)), expected)
    assert pool_maps(maps.bfloat16(), (40, 56)).dtype == torch.float32
