"""Second views: geometry at every resolution, what is covered, and that nothing else enters a loss."""

import math

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS

import mmppc  # noqa: F401
from mmppc.models.outputs import ViewOutput
from mmppc.models.views import (
    CombinedView,
    FlipView,
    RescaleView,
    RotateView,
    TranslateView,
    ViewWarp,
    resize_maps,
)
from mmppc.utils.randomness import seed_generators
from tests.models.test_cam_segmentor import CLASSES, PPC, batch, build

ROTATE = dict(type='RotateView', degrees=(-20, 20))
TRANSLATE = dict(type='TranslateView', pixels=5)
FLIP = dict(type='FlipView')
RESCALE = dict(type='RescaleView', size=(24, 20))
VIEWS = {
    'rescale': RESCALE,
    'flip': FLIP,
    'rotate': ROTATE,
    'translate': TRANSLATE,
    'rescale, flip': dict(type='CombinedView', views=[RESCALE, FLIP]),
    'flip, rescale': dict(type='CombinedView', views=[FLIP, RESCALE]),
    'rescale, rotate': dict(type='CombinedView', views=[RESCALE, ROTATE]),
    'rotate, rescale': dict(type='CombinedView', views=[ROTATE, RESCALE]),
    'rescale, translate': dict(type='CombinedView', views=[RESCALE, TRANSLATE]),
    'translate, rescale': dict(type='CombinedView', views=[TRANSLATE, RESCALE]),
    'all': dict(type='CombinedView', views=[FLIP, TRANSLATE, ROTATE, RESCALE]),
}


def coordinates(height: int, width: int) -> torch.Tensor:
    """Maps (1, 2, height, width) whose values are each pixel's column and row, in double precision."""
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float64),
        torch.arange(width, dtype=torch.float64),
        indexing='ij',
    )
    return torch.stack([columns, rows])[None]


def from_centre(points: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Points (..., 2, h, w) in pixels of a picture of ``size``, counted from its centre."""
    centre = torch.tensor([(size[1] - 1) / 2, (size[0] - 1) / 2], dtype=points.dtype)
    return points - centre[:, None, None]


def covered(view: ViewWarp) -> torch.Tensor:
    assert view.valid is not None
    return view.valid


@pytest.mark.parametrize('size', [(40, 40), (31, 48)])
@pytest.mark.parametrize('degrees', [0, 90, -90, 180, 13.0, -20])
def test_rotation_moves_points_about_the_centre(size: tuple[int, int], degrees: float) -> None:
    _, warp = RotateView(degrees=(degrees, degrees))(torch.zeros(1, 3, *size))
    places = from_centre(coordinates(*size), size)
    # What is seen at a place of the turned picture was at the place turned back; rows count downwards.
    angle = math.radians(degrees)
    x, y = places[:, 0], places[:, 1]
    source = torch.stack(
        [math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y],
        dim=1,
    )
    half = torch.tensor([(size[1] - 1) / 2, (size[0] - 1) / 2])[:, None, None]
    inside = (source.abs() <= half + 1e-4).all(dim=1, keepdim=True)
    torch.testing.assert_close(covered(warp), inside)
    warped = warp(places)
    torch.testing.assert_close(warped, source.masked_fill(~inside, 0), atol=2e-3, rtol=0)
    assert torch.all(warped[~inside.expand_as(warped)] == 0)


def test_rotation_by_quarters_is_exact() -> None:
    picture = torch.randn(2, 3, 17, 17)
    for degrees, turns in ((0, 0), (90, 1), (180, 2), (-90, -1)):
        second, warp = RotateView(degrees=(degrees, degrees))(picture)
        torch.testing.assert_close(second, picture.rot90(turns, (-2, -1)), atol=1e-4, rtol=0)
        assert covered(warp).all()


def test_each_picture_gets_its_own_angle_within_the_range() -> None:
    view = RotateView()
    seed_generators(3, 5, 0)
    second, warp = view(torch.ones(200, 1, 9, 9))
    angles = torch.atan2(warp.matrix[:, 1, 0], warp.matrix[:, 0, 0]) * 180 / math.pi
    assert angles.min() >= -20
    assert angles.max() <= 20
    assert angles.std() == pytest.approx(40 / math.sqrt(12), rel=0.1)
    seed_generators(3, 5, 0)
    assert torch.equal(view(torch.ones(200, 1, 9, 9))[0], second)
    seed_generators(3, 6, 0)
    assert not torch.equal(view(torch.ones(200, 1, 9, 9))[0], second)


def test_translation_moves_by_the_distance_to_one_of_four_sides() -> None:
    torch.manual_seed(0)
    picture = torch.randn(1, 3, 30, 25).expand(40, -1, -1, -1)
    second, warp = TranslateView(pixels=7)(picture)
    found = set()
    expected = {}
    for name, (dy, dx) in dict(up=(-7, 0), down=(7, 0), left=(0, -7), right=(0, 7)).items():
        moved, seen = torch.zeros(3, 30, 25), torch.zeros(1, 30, 25, dtype=torch.bool)
        rows = slice(max(dy, 0), 30 + min(dy, 0)), slice(max(-dy, 0), 30 + min(-dy, 0))
        columns = slice(max(dx, 0), 25 + min(dx, 0)), slice(max(-dx, 0), 25 + min(-dx, 0))
        moved[:, rows[0], columns[0]] = picture[0][:, rows[1], columns[1]]
        seen[:, rows[0], columns[0]] = True
        expected[name] = (moved, seen)
    for one, seen in zip(second, covered(warp)):
        matches = [
            name
            for name, (moved, valid) in expected.items()
            if torch.equal(valid, seen) and torch.allclose(moved, one, atol=1e-4)
        ]
        assert len(matches) == 1
        found.update(matches)
    assert found == set(expected)


def test_flipping_twice_is_the_identity() -> None:
    picture, maps = torch.randn(2, 3, 14, 11), torch.randn(2, 5, 7, 6)
    view = FlipView()
    second, warp = view(picture)
    assert torch.equal(second, picture.flip(-1))
    assert warp.valid is None
    assert torch.equal(warp(warp(maps)), maps)
    twice = CombinedView([FLIP, FLIP])
    again, warp = twice(picture)
    assert torch.equal(again, picture)
    assert torch.equal(warp(maps), maps)


def test_rescaling_and_flipping_commute() -> None:
    picture, maps = torch.randn(2, 3, 48, 40), torch.randn(2, 5, 6, 5)
    first, warp = MODELS.build(VIEWS['rescale, flip'])(picture)
    second, other = MODELS.build(VIEWS['flip, rescale'])(picture)
    expected = resize_maps(picture, (24, 20)).flip(-1)
    assert torch.equal(first, expected)
    torch.testing.assert_close(second, expected)
    for size in (None, (3, 2), (12, 10)):
        target = size or (3, 2)
        assert torch.equal(warp(maps, size), resize_maps(maps, target).flip(-1))
        torch.testing.assert_close(other(maps, size), warp(maps, size))
    assert warp.valid is None
    assert other.valid is None


def test_pixels_of_a_translation_are_those_of_its_own_input() -> None:
    places = coordinates(45, 45)
    for order, distance in ((('translate', 'rescale'), 5 / 2), (('rescale', 'translate'), 5)):
        parts = {'translate': TRANSLATE, 'rescale': dict(type='RescaleView', size=(23, 23))}
        view = CombinedView([parts[name] for name in order])
        _, warp = view(torch.zeros(1, 3, 45, 45))
        shift = (warp(places, (23, 23)) - resize_maps(places, (23, 23)))[..., 11, 11] / 2
        assert shift.abs().sum().item() == pytest.approx(distance, abs=1e-4)
        assert shift.abs().max().item() == pytest.approx(distance, abs=1e-4)


def test_a_part_that_leaves_and_comes_back_is_kept() -> None:
    right = dict(type='RotateView', degrees=(45, 45))
    back = dict(type='RotateView', degrees=(-45, -45))
    picture = torch.randn(2, 3, 21, 33)
    second, warp = CombinedView([right, back])(picture)
    torch.testing.assert_close(second, picture, atol=1e-4, rtol=0)
    assert covered(warp).all()


def test_composition_is_one_transform_after_the_other() -> None:
    """On coordinates, which bilinear sampling keeps exactly."""
    torch.manual_seed(1)
    first = RotateView().draw(3, (40, 32), torch.device('cpu'))
    second = TranslateView(4).draw(3, (40, 32), torch.device('cpu'))
    flip = FlipView().draw(3, (40, 32), torch.device('cpu'))
    small = RescaleView(size=(20, 24)).draw(3, (40, 32), torch.device('cpu'))
    places = coordinates(40, 32).expand(3, -1, -1, -1)
    for parts in ((first, second), (second, first), (first, flip, small), (flip, second, small)):
        whole, stepwise, seen = ViewWarp((40, 32), (40, 32)), places, torch.ones(3, 1, 40, 32)
        for part in parts:
            whole, stepwise = whole.then(part), part(stepwise)
            seen = part(seen)
        seen = seen > 1 - 1e-4
        assert torch.all(covered(whole)[seen])
        assert seen.float().mean() > 0.4
        torch.testing.assert_close(
            (whole(places, part.size_to) * seen), stepwise * seen, atol=1e-3, rtol=0
        )


@pytest.mark.parametrize('name', VIEWS)
def test_maps_of_other_resolutions_keep_to_the_frame(name: str) -> None:
    """Normalised coordinates are the same at each resolution: pictures, features and CAMs turn about one centre."""
    inputs = torch.zeros(3, 3, 48, 40)
    view = MODELS.build(VIEWS[name])
    torch.manual_seed(2)
    second, warp = view(inputs)

    def normalised(size: tuple[int, int]) -> torch.Tensor:
        places = from_centre(coordinates(*size), size)
        half = torch.tensor([(size[1] - 1) / 2, (size[0] - 1) / 2])[:, None, None]
        return (places / half).expand(3, -1, -1, -1)

    fine = warp(normalised((48, 40)), (13, 9))
    for size in ((6, 5), (24, 20)):
        torch.testing.assert_close(warp(normalised(size), (13, 9)), fine, atol=1e-5, rtol=0)
    assert second.shape[-2:] == warp.size_to
    assert warp(normalised((6, 5))).shape[-2:] == (
        (3, 2) if 'rescale' in name or name == 'all' else (6, 5)
    )


@pytest.mark.parametrize('name', VIEWS)
def test_equivariant_network_has_no_equivariance_loss(name: str) -> None:
    """Pixel-wise linear maps: the second view's are the first's warped, wherever the first view reaches."""
    torch.manual_seed(3)
    inputs = torch.randn(2, 3, 48, 40)
    network, refiner = torch.nn.Conv2d(3, 4, 1), torch.nn.Conv2d(3, 4, 1)
    second, warp = MODELS.build(VIEWS[name])(inputs)

    def output(pictures: torch.Tensor) -> ViewOutput:
        # Positive, so that the rectifier in the normalisation, which does not commute with resampling, is idle.
        size = (pictures.shape[-2], pictures.shape[-1])
        return ViewOutput(network(pictures) + 9, size=size, refined=refiner(pictures) + 9)

    views = [output(inputs), output(second)]
    views[1].warp, views[1].valid = warp, warp.valid
    if warp.valid is None:
        # The extremes of the whole first view are normalised by, so resampling must not lose them.
        views[0].logits, views[0].refined = warp(views[0].logits), warp(views[0].refined)
        views[0].size = views[1].size
        views[1].warp = lambda maps, size=None: maps
    loss = MODELS.build(dict(type='EquivarianceLoss'))
    tags = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    assert loss(views, tags)['loss_er'].item() == pytest.approx(0, abs=1e-5)
    if warp.valid is not None:
        views[1].logits = views[1].logits.masked_fill(~warp.valid, 1e3)
        views[1].refined = views[1].refined.masked_fill(~warp.valid, 1e3)
        assert loss(views, tags)['loss_er'].item() == pytest.approx(0, abs=1e-5)
        views[1].logits = views[1].logits.masked_fill(warp.valid, 0)
        assert loss(views, tags)['loss_er'].item() > 0.1


@pytest.mark.parametrize('resolution', ['input', 'feature'])
@pytest.mark.parametrize('name', ['rotate', 'translate', 'all', 'rescale, rotate'])
def test_nothing_outside_enters_a_loss(name: str, resolution: str) -> None:
    torch.manual_seed(4)
    _, warp = MODELS.build(VIEWS[name])(torch.zeros(2, 3, 48, 40))
    height, width = warp.size_to
    tags = torch.tensor([[1.0, 0, 1], [0, 1, 0]])

    def output(size: tuple[int, int], seed: int) -> ViewOutput:
        generator = torch.Generator().manual_seed(seed)
        maps = [torch.randn(2, k, *size, generator=generator) for k in (4, 4, 6)]
        logits, refined, embeddings = (value.requires_grad_() for value in maps)
        return ViewOutput(logits, size=size, refined=refined, embeddings=embeddings)

    # Maps at the inputs' resolution: no upsampling spreads a gradient over the edge.
    first, second = output((48, 40), 1), output((height, width), 2)
    second.warp, second.valid = warp, warp.valid
    valid = warp.valid.squeeze(1)
    reached = warp(torch.ones(2, 1, 48, 40).requires_grad_())
    assert torch.all((reached > 0) == warp.valid)
    assert 0.02 < (~valid).float().mean() < 0.7
    names = {'tags': 'TagClassificationLoss', 'contrast': 'PixelPrototypeContrastLoss'}
    terms = [MODELS.build(dict(type=kind)) for kind in names.values()]
    terms.append(MODELS.build(dict(type='EquivarianceLoss', resolution=resolution)))
    total = sum(sum(term([first, second], tags).values()) for term in terms)
    total.backward()
    for value in (second.logits, second.refined, second.embeddings):
        gradient = value.grad.abs().amax(dim=1)
        assert torch.all(gradient[~valid] == 0)
        assert gradient[valid].max() > 0
    # Neither does a value outside change a loss.
    changed = output((height, width), 2)
    changed.warp, changed.valid = warp, warp.valid
    for field in ('logits', 'refined', 'embeddings'):
        value = getattr(changed, field).detach()
        setattr(changed, field, value.masked_fill(~warp.valid, 7.0))
    for term in terms:
        torch.manual_seed(5)
        expected = term([first, second], tags)
        torch.manual_seed(5)
        for key, value in term([first, changed], tags).items():
            torch.testing.assert_close(value, expected[key], msg=key)


def test_first_view_is_not_compared_where_it_left_the_frame() -> None:
    warp = ViewWarp((8, 8), (8, 8), matrix=torch.eye(3)[None].clone())
    warp.matrix[:, 0, 2] = 6 / 7  # moved by three pixels to the left
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(1, 4, 8, 8, generator=generator).requires_grad_() for _ in range(6)]
    views = [ViewOutput(a, (8, 8), refined=b, embeddings=c) for a, b, c in (maps[:3], maps[3:])]
    views[1].warp, views[1].valid = warp, warp.valid
    assert warp.valid[0, 0, 0].tolist() == [True] * 5 + [False] * 3
    terms = dict(EquivarianceLoss=dict(min_pool_weight=0.0), PixelPrototypeContrastLoss={})
    for kind, options in terms.items():
        loss = MODELS.build(dict(type=kind, **options))
        sum(loss(views, torch.ones(1, 3)).values()).backward()
    for value in maps[:3]:
        # The shift is three pixels but for rounding, which lets a neighbour in with a weight of a millionth.
        assert value.grad[..., :2].abs().max() == 0
        assert value.grad[..., 3:].abs().max() > 0


@pytest.mark.parametrize('name', VIEWS)
def test_segmentor_trains_on_any_view(name: str) -> None:
    inputs, samples = batch()
    model = build(view=ConfigDict(VIEWS[name]), **PPC)
    losses = model.loss(inputs, samples)
    assert len(losses) == 7
    assert all(value.isfinite() for value in losses.values())
    sum(losses.values()).backward()
    assert model.neck.conv.weight.grad.abs().max() > 0
    assert model.decode_head.conv_seg.weight.grad.abs().max() > 0


def test_view_without_any_common_part_is_finite() -> None:
    inputs, samples = batch()
    model = build(view=dict(type='TranslateView', pixels=100), **PPC)
    losses = model.loss(inputs, samples)
    assert losses['loss_er'] == losses['loss_ecr'] == losses['loss_intra'] == 0
    sum(losses.values()).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_half_precision_does_not_move_points() -> None:
    view = MODELS.build(VIEWS['all'])
    inputs = torch.randn(2, 3, 48, 40)
    torch.manual_seed(6)
    second, warp = view(inputs)
    torch.manual_seed(6)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        again, other = view(inputs)
    assert torch.equal(again, second)
    assert torch.equal(other.matrix, warp.matrix)
    half = warp(inputs.half())
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), second, atol=1e-2, rtol=0)


def test_feature_resolution_compares_maps_as_they_are() -> None:
    generator = torch.Generator().manual_seed(0)

    def maps(side: int) -> torch.Tensor:
        return torch.randn(2, CLASSES, side, side, generator=generator)

    first = ViewOutput(maps(14), (112, 112), refined=maps(14))
    second = ViewOutput(maps(8), (64, 64), refined=maps(8))
    _, second.warp = RescaleView(size=(64, 64))(torch.zeros(2, 3, 112, 112))
    tags = torch.eye(CLASSES - 1)[:2]
    losses = MODELS.build(dict(type='EquivarianceLoss', resolution='feature'))(
        [first, second], tags
    )
    # The same maps as if their grids were the inputs.
    first.size, second.size = (14, 14), (8, 8)
    expected = MODELS.build(dict(type='EquivarianceLoss'))([first, second], tags)
    assert losses == expected


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='RotateView', degrees=(5, -5)), 'degrees must be'),
        (dict(type='TranslateView', pixels=-1), 'must not be negative'),
        (dict(type='CombinedView', views=[]), 'at least one view'),
        (dict(type='CombinedView', views=[dict(type='PixelCorrelation')]), 'draw a ViewWarp'),
        (dict(type='EquivarianceLoss', resolution='cell'), 'resolution must be'),
    ],
)
def test_wrong_settings_are_refused(config: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MODELS.build(config)


def test_a_scale_gives_at_least_a_pixel_and_must_be_positive():
    assert RescaleView(scale=0.1).draw(1, (4, 30), torch.device('cpu')).size_to == (1, 3)
    for scale in (0, -0.3):
        with pytest.raises(ValueError, match='scale must be more than 0'):
            RescaleView(scale=scale)
