import pytest
import torch
import torch.nn.functional as F

from mmppc.functional.saliency import saliency_iou, saliency_loss
from tests.functional.golden import saliency_inputs
from tests.reference.eps import literal_saliency_iou, literal_saliency_loss

GOLDEN = {0.4: 0.19181330, 0.5: 0.17884096}


def background_first(logits):
    """EPS's order to ours."""
    return torch.cat([logits[:, -1:], logits[:, :-1]], dim=1)


def random_inputs(seed=0, num=3, classes=4, size=(5, 6), picture=(17, 13)):
    """Logits in EPS's order, saliency and tags; picture k has the classes k and k + 1, the last one none."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(num, classes + 1, *size, generator=generator, dtype=torch.float64)
    saliency = torch.rand(num, 1, *picture, generator=generator, dtype=torch.float64)
    tags = torch.zeros(num, classes)
    for n in range(num - 1):
        tags[n, [n % classes, (n + 1) % classes]] = 1
    return logits.requires_grad_(), saliency, tags


def assert_literal(logits, saliency, tags, threshold, mix, valid=None):
    loss = saliency_loss(
        background_first(logits), saliency, tags, threshold=threshold, mix=mix, valid=valid
    )
    expected = literal_saliency_loss(logits, saliency, tags, threshold, mix, valid)
    torch.testing.assert_close(loss, expected, rtol=1e-11, atol=1e-13)
    grads = [torch.autograd.grad(value, logits)[0] for value in (loss, expected)]
    torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-13)
    assert grads[0].abs().max() > 0
    return loss


class TestLoss:
    @pytest.mark.parametrize('threshold', [0.4, 0.5])
    def test_golden(self, threshold):
        logits, saliency, tags = saliency_inputs()
        given = background_first(logits)
        loss = saliency_loss(given, saliency, tags, threshold=threshold, mix=0.5)
        assert loss.item() == pytest.approx(GOLDEN[threshold], abs=6e-9)
        expected = literal_saliency_loss(logits, saliency, tags, threshold, 0.5)
        assert expected.item() == pytest.approx(GOLDEN[threshold], abs=6e-9)

    @pytest.mark.parametrize('threshold', [0.2, 0.4, 0.55])
    @pytest.mark.parametrize('mix', [0.5, 0.9])
    @pytest.mark.parametrize('seed', range(2))
    def test_literal(self, seed, threshold, mix):
        assert_literal(*random_inputs(seed), threshold, mix)

    def test_both_kinds_of_tagged_classes_are_among_those(self):
        logits, saliency, tags = random_inputs(0)
        small = F.interpolate(saliency, size=(5, 6))
        overlap = saliency_iou(logits.softmax(1)[:, :-1], small)[tags > 0]
        assert (overlap > 0.55).any()
        assert (overlap < 0.4).any()

    @pytest.mark.parametrize('size', [(5, 6), (1, 1), (20, 30)])
    def test_sizes(self, size):
        """Smaller and larger than the saliency map."""
        assert_literal(*random_inputs(2, size=size), 0.4, 0.5)

    def test_gradcheck(self):
        logits, saliency, tags = random_inputs(3, num=2, classes=3, size=(3, 2))
        assert torch.autograd.gradcheck(lambda x: saliency_loss(x, saliency, tags), (logits,))

    def test_absent_classes_belong_to_neither(self):
        """A pixel of an absent class is neither foreground nor background: its estimate is one half."""
        logits = torch.zeros(1, 3, 2, 2)
        logits[:, 2] = 100
        tags = torch.tensor([[1.0, 0.0]])
        for value, expected in ((0.5, 0.0), (1.0, 0.25), (0.0, 0.25)):
            saliency = torch.full((1, 1, 4, 4), value)
            assert saliency_loss(logits, saliency, tags).item() == pytest.approx(expected)

    def test_maps_that_explain_the_saliency_cost_nothing(self):
        saliency = torch.zeros(1, 1, 8, 8)
        saliency[..., 2:6] = 1
        logits = torch.zeros(1, 3, 4, 4)
        logits[:, 0], logits[:, 0, :, 1:3], logits[:, 1, :, 1:3] = 50, 0, 50
        tags = torch.tensor([[1.0, 1.0]])
        assert saliency_loss(logits, saliency, tags).item() == pytest.approx(0, abs=1e-12)
        swapped = saliency_loss(logits, 1 - saliency, tags)  # class 1 is background now
        assert swapped.item() > 0.4

    def test_a_missed_class_is_background(self):
        """The detector passed over the object: its pixels are not pulled to the foreground."""
        logits = torch.zeros(1, 2, 2, 2)
        logits[:, 1] = 100
        dark = torch.zeros(1, 1, 2, 2)
        assert saliency_loss(logits, dark, torch.ones(1, 1)).item() == pytest.approx(0, abs=1e-12)

    @pytest.mark.parametrize('value', [0.0, 0.5, 1.0])
    @pytest.mark.parametrize('fill', [0.0, -1e4, 1e4, None])
    def test_limits(self, value, fill):
        """Constant saliency, one class or none, maps of one value or of huge ones."""
        for classes in (1, 5):
            logits, saliency, tags = random_inputs(4, classes=classes, num=2, size=(3, 3))
            logits = logits.detach().float()
            if fill is not None:
                logits[:, 0] = fill
            logits.requires_grad_()
            for given in (tags, torch.zeros_like(tags), torch.ones_like(tags)):
                loss = saliency_loss(logits, torch.full_like(saliency, value), given)
                assert torch.isfinite(loss)
                assert torch.isfinite(torch.autograd.grad(loss, logits)[0]).all()

    @pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
    def test_half_precision_is_computed_in_float32(self, dtype):
        logits, saliency, tags = random_inputs(5)
        half = background_first(logits.detach()).to(dtype)
        with torch.autocast('cpu', torch.bfloat16):
            loss = saliency_loss(half, saliency.float(), tags)
        assert loss.dtype == torch.float32
        expected = saliency_loss(half.double(), saliency, tags)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


class TestValid:
    def test_literal(self):
        logits, saliency, tags = random_inputs(6)
        valid = torch.rand(3, 1, 5, 6, generator=torch.Generator().manual_seed(7)) > 0.4
        loss = assert_literal(logits, saliency, tags, 0.4, 0.5, valid)
        assert loss.item() != pytest.approx(
            saliency_loss(background_first(logits), saliency, tags).item(), rel=1e-3
        )

    def test_everything(self):
        logits, saliency, tags = random_inputs(8)
        given = background_first(logits)
        valid = torch.ones(3, 1, 5, 6, dtype=torch.bool)
        torch.testing.assert_close(
            saliency_loss(given, saliency, tags, valid=valid), saliency_loss(given, saliency, tags)
        )

    def test_nothing(self):
        logits, saliency, tags = random_inputs(9)
        valid = torch.zeros(3, 1, 5, 6, dtype=torch.bool)
        loss = saliency_loss(background_first(logits), saliency, tags, valid=valid)
        assert loss.item() == 0
        assert (torch.autograd.grad(loss, logits)[0] == 0).all()


class TestIoU:
    def test_golden(self):
        logits, saliency, _ = saliency_inputs()
        small = F.interpolate(saliency, size=(14, 14))
        overlap = saliency_iou(background_first(logits).softmax(1)[:, 1:], small)
        expected = [0.87393, 0.4999, 0.5069, 0.0]
        assert overlap[[0, 0, 1, 1], [3, 8, 8, 15]].tolist() == pytest.approx(expected, abs=5e-5)

    def test_literal(self):
        logits, saliency, _ = random_inputs(10, picture=(5, 6))
        probabilities = logits.softmax(1)
        overlap = saliency_iou(probabilities, saliency)
        assert not overlap.requires_grad
        for n in range(3):
            for k in range(5):
                expected = literal_saliency_iou(
                    probabilities[n, k], saliency[n, 0], torch.ones(5, 6)
                )
                assert overlap[n, k].item() == pytest.approx(expected, rel=1e-12)

    def test_halves_round_to_even(self):
        """0.5 becomes 0: such a map has no pixels, such a saliency map no object."""
        half, one = torch.full((1, 1, 2, 2), 0.5), torch.ones(1, 1, 2, 2)
        assert saliency_iou(half, one).item() == 0
        assert saliency_iou(one, half).item() == 0
        assert saliency_iou(one, one).item() == pytest.approx(1 / 1.0001)


def test_valid_cells_are_averaged_a_picture_so_that_processes_agree():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 6, 6, generator=generator)
    saliency = torch.rand(2, 1, 6, 6, generator=generator)
    tags = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    valid = torch.ones(2, 1, 6, 6, dtype=torch.bool)
    valid[0, :, :, 2:] = False
    together = saliency_loss(logits, saliency, tags, valid=valid)
    alone = [
        saliency_loss(
            logits[n : n + 1], saliency[n : n + 1], tags[n : n + 1], valid=valid[n : n + 1]
        )
        for n in range(2)
    ]
    torch.testing.assert_close(together, torch.stack(alone).mean())


@pytest.mark.parametrize(
    ('tags', 'channels'), [((2, 1), 1), ((1, 3), 1), ((2, 3), 3)], ids=['width', 'number', 'maps']
)
def test_shapes_that_would_broadcast_are_refused(tags, channels):
    with pytest.raises(ValueError, match=r'expected \(N, 1\+C, h, w\), \(N, C\) and'):
        saliency_loss(torch.rand(2, 4, 4, 4), torch.rand(2, channels, 8, 8), torch.ones(tags))
