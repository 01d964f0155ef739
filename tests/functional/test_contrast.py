import functools
import itertools

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from mmppc.functional import contrast_view
from mmppc.functional.contrast import pixel_prototype_contrast
from mmppc.functional.contrast_options import ContrastOptions
from mmppc.functional.prototypes import estimate_prototypes
from tests.functional.golden import contrast_inputs, golden_ties
from tests.reference.contrast import literal_contrast

PRESETS = ('paper', 'published')
TERMS = ('cross_prototype', 'cross_cam', 'intra')

# value of each term in the first and the second view
GOLDEN = {
    'published': {
        'cross_prototype': (3.47093540, 5.42218621),
        'cross_cam': (4.15899627, 4.30029842),
        'intra': (2.83608062, 2.93054573),
    },
    'paper': {
        'cross_prototype': (1.84065303, 2.70110538),
        'cross_cam': (2.36837805, 2.43164266),
        'intra': (1.81413740, 2.49231035),
    },
}
GOLDEN_TOTAL = {'published': 1.15595213, 'paper': 0.68241134}
GOLDEN_GRADIENT_NORMS = (0.01701576, 0.01885254)  # of the published total


def random_batch(seed=0, num=3, classes=5, dim=6, height=3, width=4, views=2):
    """A batch which holds every case that a class may be in.

    Class 4 is tagged in the first picture, but its map is empty, so it has no pixel of its own;
    class 5 is tagged nowhere; the last picture has no tag.
    """
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    features = [randn(num, dim, height, width).requires_grad_() for _ in range(views)]
    cams = [randn(num, 1 + classes, height, width) for _ in range(views)]
    tags = torch.zeros(num, classes)
    tags[0, [0, 2, 3]] = 1
    tags[1, 1] = 1
    for cam in cams:
        cam[0, 4] = -1
    pixels = num * height * width
    keys = {
        'random_keys': [
            torch.rand(pixels, generator=generator, dtype=torch.float64) for _ in range(views)
        ],
        'proto_keys': [
            torch.rand(pixels, 1 + classes, generator=generator, dtype=torch.float64)
            for _ in range(views)
        ],
    }
    return features, cams, tags, keys


def dense_labels(seed, num, height, width, views=2):
    """Labels with ignored pixels, a class of one pixel, and a class in the first view only."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (views, num, height, width), generator=generator)
    labels[:, 0, 0, :2] = 255
    labels[:, 0, 1, 0] = 3
    labels[0, -1, -1, :] = 4
    return list(labels)


def assert_agrees(features, cams, tags, **options):
    """Vectorised and literal values and gradients are equal; the former are returned."""
    losses = pixel_prototype_contrast(features, cams, tags, **options)
    expected = literal_contrast(features, cams, tags, **options)
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        assert torch.isfinite(loss), name
        torch.testing.assert_close(loss, expected[name], rtol=1e-9, atol=1e-10, msg=name)
    actual = torch.autograd.grad(sum(losses.values()), features)
    wanted = torch.autograd.grad(sum(expected.values()), features)
    for got, want in zip(actual, wanted):
        assert torch.isfinite(got).all()
        torch.testing.assert_close(got, want, rtol=1e-8, atol=1e-10)
    return losses


@functools.cache
def literal_golden(preset):
    """Terms of each view, total and gradients of the literal version on the golden inputs."""
    features, cams, tags = contrast_inputs()
    keys = [torch.arange(512), torch.arange(512)]
    parts = {}
    losses = literal_contrast(
        features, cams, tags, preset=preset, ties='first', random_keys=keys, parts=parts
    )
    total = sum(losses.values())
    gradients = torch.autograd.grad(total, features)
    terms = {name: [loss.detach() for loss in parts[name]] for name in TERMS}
    return terms, total.detach(), gradients


class TestGolden:
    """The reference sheet's numbers: the first half of the pixels as the random half, ties as topk takes them."""

    keys = [torch.arange(512), torch.arange(512)]

    @golden_ties
    @pytest.mark.parametrize('preset', PRESETS)
    def test_values(self, preset):
        features, cams, tags = contrast_inputs()
        losses = pixel_prototype_contrast(
            features, cams, tags, preset=preset, random_keys=self.keys, ties='first'
        )
        for term in TERMS:
            value = 0.1 * sum(GOLDEN[preset][term]) / 2
            assert losses[f'loss_{term}'].item() == pytest.approx(value, abs=2e-9)
        assert sum(losses.values()).item() == pytest.approx(GOLDEN_TOTAL[preset], abs=1e-8)

    @golden_ties
    @pytest.mark.parametrize('preset', PRESETS)
    @pytest.mark.parametrize('view', [0, 1])
    def test_intra_of_one_view(self, preset, view):
        features, cams, tags = contrast_inputs()
        losses = pixel_prototype_contrast(
            [features[view]],
            [cams[view]],
            tags,
            preset=preset,
            random_keys=[self.keys[view]],
            ties='first',
            intra_weight=1.0,
        )
        assert losses['loss_intra'].item() == pytest.approx(GOLDEN[preset]['intra'][view], abs=1e-8)

    @golden_ties
    def test_gradient_norms(self):
        features, cams, tags = contrast_inputs()
        losses = pixel_prototype_contrast(
            features, cams, tags, preset='published', random_keys=self.keys, ties='first'
        )
        gradients = torch.autograd.grad(sum(losses.values()), features)
        for gradient, expected in zip(gradients, GOLDEN_GRADIENT_NORMS):
            assert gradient.norm().item() == pytest.approx(expected, abs=1e-8)

    @golden_ties
    @pytest.mark.parametrize('preset', PRESETS)
    def test_literal_version_is_right(self, preset):
        parts, total, gradients = literal_golden(preset)
        for term, expected in GOLDEN[preset].items():
            for loss, value in zip(parts[term], expected):
                assert loss.item() == pytest.approx(value, abs=1e-8)
        assert total.item() == pytest.approx(GOLDEN_TOTAL[preset], abs=1e-8)
        if preset == 'published':
            for gradient, value in zip(gradients, GOLDEN_GRADIENT_NORMS):
                assert gradient.norm().item() == pytest.approx(value, abs=1e-8)

    @pytest.mark.parametrize('preset', PRESETS)
    def test_gradients_are_the_literal_versions(self, preset):
        features, cams, tags = contrast_inputs()
        losses = pixel_prototype_contrast(
            features, cams, tags, preset=preset, random_keys=self.keys, ties='first'
        )
        _, total, expected = literal_golden(preset)
        assert sum(losses.values()).item() == pytest.approx(total.item(), rel=1e-10)
        gradients = torch.autograd.grad(sum(losses.values()), features)
        torch.testing.assert_close(gradients, expected, rtol=1e-8, atol=1e-12)


CHOICES = [
    {'proto_candidates': candidates, 'bg_conf': confidence, 'absent': absent}
    for candidates, confidence, absent in itertools.product(
        ('assigned', 'tagged', 'all'), ('one_minus_max', 'constant'), ('ignore', 'include')
    )
]
SWITCHES = [
    {},
    {'cross_prototype': False},
    {'cross_cam': False},
    {'intra': False},
    {'prototype_mining': False},
    {'pixel_sampling': False},
    {'prototype_mining': False, 'pixel_sampling': False},
    {'pixel_sampling': False, 'intra_reduction': 'pixel'},
    {'intra_reduction': 'pixel'},
    {'intra_reduction': 'pixel', 'count_singletons': True},
    {'intra_reduction': 'pixel', 'count_singletons': False},
    {'count_singletons': True},
    {'count_singletons': False},
    {'norm_before_proto': True},
    {'proto_pick': 'random'},
    {'proto_pick': 'random', 'exclude_positive': True, 'absent': 'include'},
    {'proto_pick': 'random', 'exclude_positive': False, 'pool_ratio': 0.9, 'keep_ratio': 0.3},
    {'exclude_positive': True},
    {'exclude_positive': False},
    {'exclude_positive': False, 'absent': 'ignore', 'proto_candidates': 'tagged'},
    {'pool_ratio': 1.0, 'keep_ratio': 1.0},
    {'pool_ratio': 1.0, 'keep_ratio': 0.25},
    {'pool_ratio': 0.1, 'keep_ratio': 0.1},
    {'skip_hardest': 0.0},
    {'skip_hardest': 0.1},
    {'skip_hardest': 0.25},
    {'skip_hardest': 0.5},
    {'view_reduction': 'sum'},
    {'topk': 1},
    {'topk': 5},
    {'topk': 1000},
    {'temperature': 0.5},
    {'bg_threshold': 0.6},
    {'cross_weight': 0.7, 'intra_weight': 0.3},
    {'ties': 'first'},
    {'ties': 'spread'},
]


class TestAgainstLiteral:
    @pytest.mark.parametrize('preset', PRESETS)
    @pytest.mark.parametrize('options', SWITCHES + CHOICES, ids=str)
    def test_switches(self, preset, options):
        features, cams, tags, keys = random_batch(seed=1)
        assert_agrees(features, cams, tags, preset=preset, **{'topk': 7, **options}, **keys)

    @pytest.mark.parametrize('preset', PRESETS)
    @pytest.mark.parametrize('seed', range(2, 6))
    def test_many_classes(self, preset, seed):
        features, cams, tags, keys = random_batch(seed=seed, classes=20, dim=8)
        tags[1, torch.arange(seed, 20, 3)] = 1
        assert_agrees(features, cams, tags, preset=preset, topk=4, **keys)

    @pytest.mark.parametrize('preset', PRESETS)
    @pytest.mark.parametrize(
        'options',
        [
            {},
            {'count_singletons': True},
            {'count_singletons': False},
            {'intra_reduction': 'pixel'},
            {'pixel_sampling': False},
            {'prototype_mining': False},
        ],
        ids=str,
    )
    def test_dense_labels(self, preset, options):
        features, cams, _, keys = random_batch(seed=7)
        labels = dense_labels(7, 3, 3, 4)
        scores = [cam.softmax(dim=1) for cam in cams]
        assert_agrees(
            features, scores, None, preset=preset, labels=labels, topk=5, **options, **keys
        )

    @pytest.mark.parametrize('preset', PRESETS)
    def test_one_view(self, preset):
        features, cams, tags, keys = random_batch(seed=8, views=1)
        losses = assert_agrees(features, cams, tags, preset=preset, **keys)
        assert list(losses) == ['loss_intra']

    def test_unset_switches_are_the_presets(self):
        features, cams, tags, keys = random_batch(seed=9)
        names = ('proto_candidates', 'bg_conf', 'absent', 'exclude_positive', 'skip_hardest')
        unset = dict.fromkeys((*names, 'intra_reduction', 'count_singletons'))
        given = pixel_prototype_contrast(features, cams, tags, preset='published', **unset, **keys)
        plain = pixel_prototype_contrast(features, cams, tags, preset='published', **keys)
        assert given == plain


class TestGradcheck:
    @pytest.mark.parametrize('preset', PRESETS)
    @pytest.mark.parametrize(
        'options',
        [
            {},
            {'prototype_mining': False, 'pixel_sampling': False},
            {'intra_reduction': 'pixel', 'view_reduction': 'sum'},
        ],
        ids=str,
    )
    def test_features(self, preset, options, monkeypatch):
        """Against finite differences, with the prototypes held still as they get no gradient."""
        features, cams, tags, keys = random_batch(seed=10, dim=3, height=2, width=3)
        estimated = []

        def record(*args, **kwargs):
            estimated.append(estimate_prototypes(*args, **kwargs))
            return estimated[-1]

        def losses(*inputs):
            terms = pixel_prototype_contrast(
                inputs, cams, tags, preset=preset, topk=4, **options, **keys
            )
            return tuple(terms.values())

        monkeypatch.setattr(contrast_view, 'estimate_prototypes', record)
        losses(*features)
        replay = itertools.cycle(tuple(estimated))
        monkeypatch.setattr(contrast_view, 'estimate_prototypes', lambda *a, **k: next(replay))
        assert torch.autograd.gradcheck(losses, tuple(features))


def one_class():
    features, cams, tags, keys = random_batch(seed=20)
    tags = torch.zeros_like(tags)
    tags[:, 1] = 1
    return features, cams, tags, keys


def one_class_and_no_background():
    features, cams, _, keys = random_batch(seed=20)
    labels = [torch.full((3, 3, 4), 1) for _ in cams]
    return features, [c.softmax(1) for c in cams], None, {**keys, 'labels': labels}


def no_tag():
    features, cams, tags, keys = random_batch(seed=21)
    return features, cams, torch.zeros_like(tags), keys


def more_pixels_wanted_than_there_are():
    features, cams, tags, keys = random_batch(seed=22)
    return features, cams, tags, {**keys, 'topk': 10_000}


def one_picture_of_one_pixel():
    features, cams, tags, keys = random_batch(seed=23, height=1, width=1)
    keys = {name: [k[:1] for k in both] for name, both in keys.items()}
    features = [f.detach()[:1].requires_grad_() for f in features]
    return features, [c[:1] for c in cams], tags[:1], keys


def one_pixel_a_picture():
    return random_batch(seed=24, height=1, width=1)


def empty_maps():
    features, cams, tags, keys = random_batch(seed=25)
    return features, [torch.zeros_like(c) for c in cams], tags, keys


def negative_maps():
    features, cams, tags, keys = random_batch(seed=26)
    return features, [-1 - c.abs() for c in cams], tags, keys


def constant_maps():
    features, cams, tags, keys = random_batch(seed=27)
    return features, [torch.full_like(c, 3.0) for c in cams], tags, keys


def one_view_without_tag():
    features, cams, tags, keys = random_batch(seed=28, views=1)
    return features, cams, torch.zeros_like(tags), keys


def classes_of_one_pixel():
    """Dense labels in which every class has a single pixel, and all others are ignored."""
    features, cams, _, keys = random_batch(seed=29)
    labels = [torch.full((3, 3, 4), 255) for _ in cams]
    for label in labels:
        label[0, 0] = torch.arange(4)
    return features, [c.softmax(1) for c in cams], None, {**keys, 'labels': labels}


def one_class_of_one_pixel():
    features, cams, _, keys = random_batch(seed=30)
    labels = [torch.full((3, 3, 4), 255) for _ in cams]
    for label in labels:
        label[1, 1, 1] = 2
    return features, [c.softmax(1) for c in cams], None, {**keys, 'labels': labels}


def all_pixels_ignored():
    features, cams, _, keys = random_batch(seed=31)
    labels = [torch.full((3, 3, 4), 255) for _ in cams]
    return features, [c.softmax(1) for c in cams], None, {**keys, 'labels': labels}


def views_without_a_common_class():
    features, cams, _, keys = random_batch(seed=32)
    labels = [torch.full((3, 3, 4), 1), torch.full((3, 3, 4), 2)]
    return features, [c.softmax(1) for c in cams], None, {**keys, 'labels': labels}


DEGENERATE = (
    one_class,
    one_class_and_no_background,
    no_tag,
    more_pixels_wanted_than_there_are,
    one_picture_of_one_pixel,
    one_pixel_a_picture,
    empty_maps,
    negative_maps,
    constant_maps,
    one_view_without_tag,
    classes_of_one_pixel,
    one_class_of_one_pixel,
    all_pixels_ignored,
    views_without_a_common_class,
)


class TestDegenerate:
    """Finite values and gradients, the literal version's, and a loss that is in the graph."""

    @pytest.mark.parametrize('preset', PRESETS)
    @pytest.mark.parametrize('batch', DEGENERATE, ids=lambda batch: batch.__name__)
    def test_agrees(self, batch, preset):
        features, cams, tags, options = batch()
        losses = assert_agrees(features, cams, tags, preset=preset, **options)
        assert all(loss.requires_grad and loss.ndim == 0 for loss in losses.values())

    def test_single_class_costs_nothing(self):
        """With no other prototype there is nothing to push away from."""
        for batch in (no_tag, one_class_and_no_background, one_class_of_one_pixel):
            features, cams, tags, options = batch()
            losses = pixel_prototype_contrast(features, cams, tags, **options)
            assert [loss.item() for loss in losses.values()] == [0.0] * 3

    def test_views_without_a_common_class_leave_only_intra(self):
        features, cams, tags, options = views_without_a_common_class()
        for preset in PRESETS:
            losses = pixel_prototype_contrast(features, cams, tags, preset=preset, **options)
            assert losses['loss_cross_prototype'].item() == 0.0
            assert losses['loss_cross_cam'].item() == 0.0

    def test_classes_of_one_pixel_count_as_the_preset_says(self):
        features, cams, tags, options = classes_of_one_pixel()
        options['temperature'] = 1.0
        published, paper, everything = (
            pixel_prototype_contrast(features, cams, tags, **options, **chosen)['loss_intra'].item()
            for chosen in ({'preset': 'published'}, {}, {'pixel_sampling': False})
        )
        assert published == 0.0
        assert paper == pytest.approx(everything, rel=1e-12)
        assert paper > 0.01

    @pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.bfloat16, torch.float16])
    @pytest.mark.parametrize('preset', PRESETS)
    def test_dead_pixels(self, preset, dtype):
        """The projector ends in a ReLU, which may silence a pixel or all of them."""
        for dead in (slice(0, 2), slice(None)):
            features, cams, tags, keys = random_batch(seed=34)
            features = [f.detach().relu().to(dtype) for f in features]
            for feature in features:
                feature[:, :, dead] = 0
                feature.requires_grad_()
            losses = pixel_prototype_contrast(features, cams, tags, preset=preset, **keys)
            for gradient in torch.autograd.grad(sum(losses.values()), features):
                assert torch.isfinite(gradient).all()
                assert gradient.abs().max() < 10


class TestPrecision:
    @pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
    @pytest.mark.parametrize('preset', PRESETS)
    def test_half_inputs_are_computed_in_float32(self, preset, dtype):
        features, cams, tags, keys = random_batch(seed=40, num=4, height=8, width=8)
        half = [f.detach().to(dtype).requires_grad_() for f in features]
        cams = [c.to(dtype) for c in cams]
        # On the CPU there is no autocast to float16 before PyTorch 2.3.
        old = tuple(int(part) for part in torch.__version__.split('.')[:2]) < (2, 3)
        with torch.autocast('cpu', torch.bfloat16 if old else dtype):
            losses = pixel_prototype_contrast(half, cams, tags, preset=preset, **keys)
        single = [h.detach().float().requires_grad_() for h in half]
        expected = pixel_prototype_contrast(
            single, [c.float() for c in cams], tags, preset=preset, **keys
        )
        for name, loss in losses.items():
            assert loss.dtype == torch.float32
            assert loss.item() == expected[name].item()
        sum(losses.values()).backward()
        assert all(torch.isfinite(h.grad).all() and h.grad.dtype == dtype for h in half)

    def test_autocast_changes_nothing(self):
        features, cams, tags, keys = random_batch(seed=41)
        features = [f.detach().float() for f in features]
        with torch.autocast('cpu', torch.bfloat16):
            inside = pixel_prototype_contrast(features, cams, tags, **keys)
        outside = pixel_prototype_contrast(features, cams, tags, **keys)
        assert inside == outside

    def test_temperatures_that_overflow_an_exponential(self):
        features, cams, tags, keys = random_batch(seed=42)
        features = [f.detach().float().requires_grad_() for f in features]
        losses = pixel_prototype_contrast(features, cams, tags, temperature=1e-3, **keys)
        for gradient in torch.autograd.grad(sum(losses.values()), features):
            assert torch.isfinite(gradient).all()
        assert all(torch.isfinite(loss) for loss in losses.values())


class TestSampling:
    def test_generator_decides(self):
        features, cams, tags, _ = random_batch(seed=50)

        def intra(seed):
            generator = torch.Generator().manual_seed(seed)
            losses = pixel_prototype_contrast(
                features, cams, tags, proto_pick='random', generator=generator
            )
            return losses['loss_intra'].item()

        assert intra(0) == intra(0)
        assert len({intra(seed) for seed in range(5)}) > 1

    def test_maps_get_no_gradient(self):
        features, cams, tags, keys = random_batch(seed=51)
        cams = [c.requires_grad_() for c in cams]
        sum(pixel_prototype_contrast(features, cams, tags, **keys).values()).backward()
        assert all(cam.grad is None for cam in cams)
        assert all(f.grad.abs().sum() > 0 for f in features)


def joined_batches():
    """Batches of four pictures, two for each rank, and the options to try on them."""
    features, cams, tags, keys = random_batch(seed=60, num=4, dim=5)
    tags[2, [1, 2, 3]] = 1
    tags[3, 4] = 1
    for cam in cams:  # class 3 has pixels on the first rank, and on the second only confidences
        cam[2, 3] = cam[2, 2] / 2
    mixed = (features, cams, tags, keys)
    # the first rank alone holds classes 1, 3 and 4, the second class 2 and a picture without a tag
    parted = random_batch(seed=61, num=4, dim=5)
    parted[2][1] = parted[2][0]
    parted[2][2:] = 0
    parted[2][2, 1] = 1
    labels = dense_labels(62, 4, 3, 4)
    labels[0][2:] = labels[0][2:].clamp(max=1)
    scores = [c.softmax(1) for c in cams]
    dense = (features, scores, None, {**keys, 'labels': labels})
    return [
        (batch, {'preset': preset, 'topk': 7, **options})
        for batch in (mixed, parted, dense)
        for preset in PRESETS
        for options in (
            {},
            {'intra_reduction': 'pixel', 'proto_pick': 'random', 'topk': 1000},
            {'pixel_sampling': False, 'prototype_mining': False, 'absent': 'include'},
            {'proto_candidates': 'tagged', 'count_singletons': True, 'topk': 2},
        )
    ]


class Projector(nn.Module):
    """Stands for the network: both views' features come from shared weights."""

    def __init__(self, dim):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(dim, dim, generator=generator, dtype=torch.float64))

    def forward(self, views):
        return [torch.einsum('ed,ndhw->nehw', self.weight, view) for view in views]


def step(model, projector, batch, options):
    """Losses, gradient of the projector and prototypes of the first view."""
    features, cams, tags, extra = batch
    projector.zero_grad(set_to_none=True)
    projected = model([f.detach() for f in features])
    losses = pixel_prototype_contrast(projected, cams, tags, **extra, **options)
    sum(losses.values()).backward()
    pixels = features[0].detach().permute(0, 2, 3, 1).flatten(0, 2)
    scores = cams[0].permute(0, 2, 3, 1).flatten(0, 2)
    prototypes = estimate_prototypes(
        pixels, scores, scores > 0.5, options['topk'], clamp=options['preset'] == 'paper'
    )
    return (
        {name: loss.detach() for name, loss in losses.items()},
        projector.weight.grad.clone(),
        prototypes,
    )


def share(batch, rank):
    """A rank's half of a batch."""
    features, cams, tags, extra = batch
    own = slice(2 * rank, 2 * rank + 2)
    pixels = features[0][0, 0].numel() * 2
    parts = {
        name: [
            value[own] if name == 'labels' else value[rank * pixels : (rank + 1) * pixels]
            for value in values
        ]
        for name, values in extra.items()
    }
    return (
        [f.detach()[own] for f in features],
        [c[own] for c in cams],
        None if tags is None else tags[own],
        parts,
    )


def run_rank(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/meeting', rank=rank, world_size=2)
    projector = Projector(5)
    model = nn.parallel.DistributedDataParallel(projector)
    results = [
        step(model, projector, share(batch, rank), options) for batch, options in joined_batches()
    ]
    torch.save(results, f'{folder}/{rank}.pt')
    dist.barrier()  # PyTorch 2.1 may hang where a group ends while a collective holds a tensor
    dist.destroy_process_group()


class TestTwoRanks:
    def test_equal_one(self, tmp_path):
        mp.spawn(run_rank, args=(str(tmp_path),), nprocs=2)
        ranks = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
        projector = Projector(5)
        for number, (batch, options) in enumerate(joined_batches()):
            losses, gradient, prototypes = step(projector, projector, batch, options)
            (losses0, gradient0, prototypes0), (losses1, gradient1, prototypes1) = (
                results[number] for results in ranks
            )
            equal = functools.partial(
                torch.testing.assert_close, rtol=0, atol=1e-10, msg=f'{number}: {options}'
            )
            assert losses.keys() == losses0.keys() == losses1.keys()
            for name, loss in losses.items():
                equal((losses0[name] + losses1[name]) / 2, loss)
            equal(gradient0, gradient)
            equal(gradient1, gradient)
            for own in (prototypes0, prototypes1):
                equal(own[0], prototypes[0])
                assert torch.equal(own[1], prototypes[1])


class TestRefused:
    """Shapes that would broadcast or be cut silently."""

    @pytest.mark.parametrize(
        ('change', 'message'),
        [
            ({'labels': [torch.zeros(3, 4, 3)] * 2}, r'labels must be one \(3, 3, 4\) a view'),
            ({'labels': [torch.zeros(3, 3, 4)] * 3}, 'labels must be one'),
            ({'random_keys': [torch.zeros(36)]}, r'random_keys must be one \(36,\) a view'),
            ({'proto_keys': [torch.zeros(36, 2)] * 2}, r'proto_keys must be one \(36, 6\) a view'),
            ({'cross_weight': -0.1}, 'cross_weight must be at least 0'),
            ({'ties': 'last'}, 'ties must be one of'),
        ],
        ids=str,
    )
    def test_arguments(self, change, message):
        features, cams, tags, _ = random_batch(seed=3)
        with pytest.raises(ValueError, match=message):
            pixel_prototype_contrast(features, cams, tags, **change)

    def test_more_classes_than_labels_can_tell_from_ignored_ones(self):
        features = [torch.randn(1, 4, 2, 2)]
        pixel_prototype_contrast(features, [torch.rand(1, 255, 2, 2)], torch.ones(1, 254))
        with pytest.raises(ValueError, match='at most 255 classes'):
            pixel_prototype_contrast(features, [torch.rand(1, 256, 2, 2)], torch.ones(1, 255))

    def test_none_keeps_an_option_of_ready_options(self):
        features, cams, tags, keys = random_batch(seed=3)
        options = ContrastOptions(topk=3)
        given = pixel_prototype_contrast(features, cams, tags, preset=options, topk=None, **keys)
        assert given == pixel_prototype_contrast(features, cams, tags, topk=3, **keys)


def test_negative_labels_are_ignored():
    features, cams, _, keys = random_batch(seed=7)
    scores = [cam.softmax(dim=1) for cam in cams]
    labels = dense_labels(7, 3, 3, 4)
    negative = [label.masked_fill(label == 255, -1) for label in labels]
    expected = pixel_prototype_contrast(features, scores, None, labels=labels, **keys)
    assert pixel_prototype_contrast(features, scores, None, labels=negative, **keys) == expected
