import pytest
import torch
import torch.nn.functional as F

from mmppc.functional.equivariance import max_norm, minimum_pooling, pixel_correlation, seam_losses
from tests.functional.golden import correlation_inputs, seam_inputs
from tests.reference.pcm import literal_pcm
from tests.reference.seam import literal_max_norm, literal_minimum_pooling, literal_seam

GOLDEN = {'er': 0.02582205, 'ecr': (0.39761731, 0.34682171), 'min_pool': (0.03821452, 0.01546111)}


def warp_to(size):
    return lambda maps: F.interpolate(maps, size=size, mode='bilinear', align_corners=True)


def random_views(seed=0, num=2, channels=5, first=(7, 6), second=(4, 5)):
    generator = torch.Generator().manual_seed(seed)
    views = [
        torch.randn(num, channels, *size, generator=generator, dtype=torch.float64)
        for size in (first, second, first, second)
    ]
    tags = torch.zeros(num, channels - 1)
    tags[0, [0, 2]] = 1
    tags[-1, 1] = 1
    return [view.requires_grad_() for view in views], tags


def assert_literal(views, tags):
    losses = seam_losses(tuple(views[:2]), tuple(views[2:]), tags, warp_to(views[1].shape[-2:]))
    literal = literal_seam(tuple(views[:2]), tuple(views[2:]), tags)
    expected = {
        'loss_er': literal['er'],
        'loss_ecr': sum(literal['ecr']),
        'loss_min_pool': sum(literal['min_pool']) / 2,
    }
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name], rtol=1e-10, atol=1e-12, msg=name)
        grads = (
            torch.autograd.grad(value, views, allow_unused=True, retain_graph=True)
            for value in (loss, expected[name])
        )
        for got, want in zip(*grads):
            if got is None or want is None:
                assert got is want
            else:
                torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-12, msg=name)
    return losses


class TestSeamLosses:
    def test_golden(self):
        cams, refined, tags = seam_inputs()
        losses = seam_losses(cams, refined, tags, warp_to((32, 32)))
        assert losses['loss_er'].item() == pytest.approx(GOLDEN['er'], abs=1e-8)
        assert losses['loss_ecr'].item() == pytest.approx(sum(GOLDEN['ecr']), abs=1.5e-8)
        assert losses['loss_min_pool'].item() == pytest.approx(
            sum(GOLDEN['min_pool']) / 2, abs=1e-8
        )
        tag_losses = (0.69210226 + 0.69716749) / 2
        assert sum(losses.values()).item() + tag_losses == pytest.approx(1.49173376, abs=3e-8)

    def test_literal_version_is_right(self):
        literal = literal_seam(*seam_inputs())
        assert literal['er'].item() == pytest.approx(GOLDEN['er'], abs=1e-8)
        for name in ('ecr', 'min_pool'):
            for value, expected in zip(literal[name], GOLDEN[name]):
                assert value.item() == pytest.approx(expected, abs=1e-8)

    @pytest.mark.parametrize('seed', range(4))
    def test_literal(self, seed):
        assert_literal(*random_views(seed))

    def test_literal_on_responses_everywhere(self):
        """All classes tagged, so that the pooled maximum is not 0 and has a gradient."""
        views, tags = random_views(5)
        views = [(view.detach() + 0.5).requires_grad_() for view in views]
        losses = assert_literal(views, torch.ones_like(tags))
        assert losses['loss_min_pool'].item() > 0.1

    def test_gradcheck(self):
        views, _ = random_views(6, num=1, channels=4, first=(4, 3), second=(3, 3))
        tags = torch.ones(1, 3)

        # The targets of ECR are constants, so the maps must not move under it.
        fixed = tuple(view.detach().clone() for view in views[:2])

        def losses(*maps):
            er = seam_losses(maps[:2], tuple(views[2:]), tags, warp_to((3, 3)))['loss_er']
            others = seam_losses(fixed, maps[2:], tags, warp_to((3, 3)))
            return er, others['loss_ecr'], others['loss_min_pool']

        assert torch.autograd.gradcheck(losses, tuple(views))

    def test_gradients_go_where_they_should(self):
        """ER reaches the maps only, ECR and minimum pooling the refined maps only."""
        views, tags = random_views(7)
        losses = seam_losses(tuple(views[:2]), tuple(views[2:]), tags, warp_to((4, 5)))
        reached = {
            name: [
                g is not None and bool(g.any())
                for g in torch.autograd.grad(loss, views, allow_unused=True, retain_graph=True)
            ]
            for name, loss in losses.items()
        }
        assert reached['loss_er'] == [True, True, False, False]
        assert reached['loss_ecr'] == [False, False, True, True]
        assert reached['loss_min_pool'][:2] == [False, False]

    @pytest.mark.parametrize('value', [0.0, -1.0, 2.0])
    def test_constant_maps(self, value):
        views, tags = random_views(8)
        views = [torch.full_like(view, value).requires_grad_() for view in views]
        self.assert_finite(views, tags)

    def test_no_tag(self):
        views, tags = random_views(9)
        assert_literal(views, torch.zeros_like(tags))

    @pytest.mark.parametrize('size', [(1, 1), (1, 2), (2, 2)])
    def test_tiny_maps(self, size):
        views, tags = random_views(10, first=(2, 2), second=size)
        self.assert_finite(views, tags)

    @staticmethod
    def assert_finite(views, tags):
        losses = seam_losses(tuple(views[:2]), tuple(views[2:]), tags, warp_to(views[1].shape[-2:]))
        for loss in losses.values():
            assert torch.isfinite(loss)
            assert loss.requires_grad
        for grad in torch.autograd.grad(sum(losses.values()), views):
            assert torch.isfinite(grad).all()


class TestMinimumPooling:
    def test_literal(self):
        maps, _ = random_views(11)
        tags = torch.ones(2, 4)
        loss, expected = minimum_pooling(maps[0], tags), literal_minimum_pooling(maps[0], tags)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
        assert torch.autograd.gradcheck(lambda m: minimum_pooling(m, tags), (maps[0],))

    def test_takes_the_lowest_quarter(self):
        refined = torch.zeros(1, 2, 4, 4)
        refined[0, 1] = torch.arange(16.0).view(4, 4)
        assert minimum_pooling(refined, torch.ones(1, 1)).item() == pytest.approx(6 / 4)


class TestMaxNorm:
    def test_literal(self):
        maps = random_views(12)[0][0]
        scores, expected = max_norm(maps), literal_max_norm(maps)
        torch.testing.assert_close(scores, expected, rtol=1e-12, atol=1e-14)
        weights = torch.rand_like(scores)
        grads = (torch.autograd.grad((s * weights).sum(), maps)[0] for s in (scores, expected))
        torch.testing.assert_close(*grads, rtol=1e-10, atol=1e-12)

    def test_gradient_through_minimum_and_maximum(self):
        maps = (torch.rand(1, 1, 2, 2, dtype=torch.float64) + 1).requires_grad_()
        assert torch.autograd.gradcheck(max_norm, (maps,))

    def test_gradient_within_a_region(self):
        maps = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
        valid = torch.rand(2, 1, 4, 5) > 0.3
        assert valid.flatten(1).any(dim=1).all()

        def inside(maps):
            return max_norm(maps, valid=valid).masked_fill(~valid, 0)

        assert torch.autograd.gradcheck(inside, (maps,))

    def test_one_of_equal_extremes_takes_the_gradient(self):
        maps = torch.tensor([[1.0, 1.0], [3.0, 3.0]], dtype=torch.float64, requires_grad=True)
        max_norm(maps)[1, 0].backward()
        # The score is (3 - low - eps) / (high - low + eps): as one of the two highest, and as high and low themselves.
        size = 2 + 1e-5
        own, high, low = 1 / size, -(2 - 1e-5) / size**2, -1 / size + (2 - 1e-5) / size**2
        expected = torch.tensor([[low, 0], [own + high, 0]], dtype=torch.float64)
        torch.testing.assert_close(maps.grad, expected, rtol=1e-12, atol=1e-15)

    @pytest.mark.parametrize('value', [0.0, -1.0])
    def test_a_map_without_a_response_sends_no_gradient(self, value):
        maps = torch.full((1, 1, 3, 3), value, requires_grad=True)
        scores = max_norm(maps)
        scores.sum().backward()
        assert not scores.any()
        assert not maps.grad.any()


class TestPixelCorrelation:
    places = [0, 5, 7, 15, 16]
    expected = torch.tensor(
        [0.01908406, 0.04712164, 0.16436516, 0.14864622, 0.16198455], dtype=torch.float64
    )

    @pytest.mark.parametrize('chunk', [None, 1, 50, 144, 1000])
    def test_golden(self, chunk):
        out = pixel_correlation(*correlation_inputs(), chunk=chunk)
        assert out.shape == (1, 21, 12, 12)
        assert out[0, 0, 0, 0].item() == pytest.approx(0.01785683, abs=1e-8)
        torch.testing.assert_close(out[0, self.places, 5, 7], self.expected, rtol=0, atol=6e-9)
        assert out.mean().item() == pytest.approx(1 / 21, abs=1e-6)

    def test_literal_version_is_right(self):
        out = literal_pcm(*correlation_inputs())
        assert out[0, 0, 0, 0].item() == pytest.approx(0.01785683, abs=1e-8)
        torch.testing.assert_close(out[0, self.places, 5, 7], self.expected, rtol=0, atol=6e-9)

    @pytest.mark.parametrize('chunk', [None, 5])
    def test_literal(self, chunk):
        generator = torch.Generator().manual_seed(13)
        cams = torch.randn(2, 4, 4, 3, generator=generator, dtype=torch.float64)
        features = torch.randn(2, 5, 4, 3, generator=generator, dtype=torch.float64)
        features.requires_grad_()
        out, expected = pixel_correlation(cams, features, chunk=chunk), literal_pcm(cams, features)
        torch.testing.assert_close(out, expected, rtol=1e-11, atol=1e-13)
        weights = torch.rand(out.shape, generator=generator, dtype=torch.float64)
        grads = (torch.autograd.grad((o * weights).sum(), features)[0] for o in (out, expected))
        torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize('chunk', [None, 2])
    def test_gradcheck(self, chunk):
        generator = torch.Generator().manual_seed(14)
        cams = torch.randn(1, 3, 2, 3, generator=generator, dtype=torch.float64)
        features = torch.randn(1, 4, 2, 3, generator=generator, dtype=torch.float64)
        assert torch.autograd.gradcheck(
            lambda f: pixel_correlation(cams, f, chunk=chunk), (features.requires_grad_(),)
        )

    def test_maps_get_no_gradient(self):
        cams, features = correlation_inputs()
        cams.requires_grad_()
        pixel_correlation(cams, features.requires_grad_()).sum().backward()
        assert cams.grad is None
        assert features.grad.abs().sum() > 0

    @pytest.mark.parametrize('value', [0.0, -1.0, 3.0])
    @pytest.mark.parametrize('size', [(1, 1), (3, 2)])
    def test_degenerate(self, value, size):
        """Constant maps, one pixel, and features of which some or all are zero."""
        cams = torch.full((1, 3, *size), value)
        for features in (torch.zeros(1, 4, *size), torch.ones(1, 4, *size)):
            features[:, :, :1, :1] = 0
            features.requires_grad_()
            out = pixel_correlation(cams, features)
            assert torch.isfinite(out).all()
            assert torch.isfinite(torch.autograd.grad(out.sum(), features)[0]).all()
