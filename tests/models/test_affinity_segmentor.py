"""Seeds that walk over affinities: losses, gradients' ways, the walk by its definition, and degenerate pictures."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import LabelData, PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from PIL import Image

import mmppc  # noqa: F401
from mmppc.functional.affinity import boundary_affinity, feature_affinity, neighbour_offsets
from mmppc.models.segmentors import AffinitySegmentor, affinity_segmentor

from ..reference.walk import literal_walk

PSA = dict(
    backbone=dict(
        type='ResNet38',
        base_channels=4,
        depths=(1, 1, 1, 1),
        out_indices=(1, 2, 3),
        frozen_stages=1,
    ),
    decode_head=dict(
        type='AffinityHead',
        in_channels=(32, 64, 256),
        channels=(4, 8, 16),
        loss=dict(type='AffinityLoss', radius=3),
    ),
)
IRN = dict(
    backbone=dict(
        type='StemResNet', depth=18, strides=(1, 2, 2, 1), frozen_stages=4, norm_eval=True
    ),
    decode_head=dict(type='BoundaryHead', in_channels=(64, 64, 128, 256, 512)),
    test_cfg=dict(
        beta=10, log_steps=3, background=None, threshold=0.25, seed_resize='bilinear', flip=True
    ),
)
MODES = pytest.mark.parametrize('config', [PSA, IRN], ids=['psa', 'irn'])


def build(config: dict, **test_cfg: Any) -> AffinitySegmentor:
    torch.manual_seed(0)
    test_cfg = {**config.get('test_cfg', {}), **test_cfg}
    model = MODELS.build({'type': 'AffinitySegmentor', **config, 'test_cfg': test_cfg})
    if config is PSA:
        model.decode_head.fuse.weight.data *= 150  # so that affinities differ
    return model


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(3, height, width, generator=torch.Generator().manual_seed(seed))


def sample(scores: torch.Tensor, classes: tuple[int, ...], **metainfo: Any) -> SegDataSample:
    """A sample as ``PackTaggedInputs`` makes it."""
    result = SegDataSample(
        metainfo=dict(ori_shape=tuple(scores.shape[-2:]), img_path='a.jpg', **metainfo)
    )
    result.seed = PixelData(data=scores)
    result.seed_classes = LabelData(
        label=torch.tensor(classes, dtype=torch.long), metainfo=dict(num_classes=21)
    )
    return result


def seeds(number: int, height: int, width: int) -> torch.Tensor:
    """Scores in [0, 1]: each class around a column of its own, more at the top than at the bottom."""
    x, y = torch.linspace(0, 1, width), torch.linspace(1, 0.7, height)
    centres = torch.arange(1, number + 1) / (number + 1)
    return (1 - 3 * (x - centres[:, None]).abs()).relu()[:, None] * y[:, None]


def labelled(model: AffinitySegmentor, side: int) -> tuple[torch.Tensor, list[SegDataSample]]:
    """A batch of two pictures with labels on the head's grid."""
    cells = side // model.decode_head.stride
    samples = []
    for k in range(2):
        labels = torch.zeros(1, cells, cells, dtype=torch.uint8)
        labels[:, 1:5, 2:6] = 3 + k
        labels[:, 5] = 255
        samples.append(SegDataSample(gt_sem_seg=PixelData(data=labels)))
    return torch.stack([picture(side, side, k) for k in range(2)]), samples


@pytest.mark.parametrize(('config', 'backbone'), [(PSA, True), (IRN, False)], ids=['psa', 'irn'])
def test_gradients_reach_what_should_learn(config: dict, backbone: bool) -> None:
    model = build(config).train()
    losses = model.loss(*labelled(model, 64))
    assert {'loss_bg', 'loss_fg', 'loss_neg'} <= set(losses)
    assert all(value.isfinite() and value.ndim == 0 for value in losses.values())
    sum(losses.values()).backward()
    reached = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    head = {n for n, _ in model.named_parameters() if n.startswith('decode_head.')}
    assert head <= reached
    assert any(name.startswith('backbone.') for name in reached) == backbone
    assert ('backbone.b3.conv_branch2a.weight' in reached) == backbone
    assert not any(name.startswith(('backbone.conv1a', 'backbone.b2.')) for name in reached)


@MODES
def test_labels_must_lie_on_the_grid(config: dict) -> None:
    model = build(config)
    inputs, samples = labelled(model, 64)
    stride = model.decode_head.stride
    with pytest.raises(ValueError, match=f'one cell for {stride} x {stride} pixels'):
        model.loss(inputs[..., :40, :40], samples)
    del samples[1].gt_sem_seg
    with pytest.raises(ValueError, match='confident labels, found none'):
        model.loss(inputs, samples)
    samples[1].gt_sem_seg = PixelData(data=torch.zeros(1, 3, 3))
    with pytest.raises(ValueError, match='several sizes'):
        model.loss(inputs, samples)


def walked_by_definition(
    start: torch.Tensor, affinity: torch.Tensor, radius: int, beta: float, log_steps: int
) -> torch.Tensor:
    offsets = neighbour_offsets(radius)
    walked = literal_walk(start.double(), affinity.double(), offsets, beta, log_steps)
    return walked.float()


def near(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize('method', ['exact', 'chebyshev'])
def test_psa_walk_by_its_definition(flip: bool, method: str) -> None:
    model = build(PSA, flip=flip, method=method, log_steps=3, background=dict(alpha=2)).eval()
    image, scores = picture(61, 75), seeds(2, 61, 75)
    padded = F.pad(image, (0, 5, 0, 3))
    mirrored = F.pad(image.flip(-1), (0, 5, 0, 3))
    with torch.no_grad():
        features = model(padded[None])[0]
        if flip:
            features = (features + model(mirrored[None])[0].flip(-1)) / 2
    affinity = feature_affinity(features, neighbour_offsets(5))
    rows = torch.stack([(1 - scores.amax(dim=0)) ** 2, *scores])
    start = F.pad(rows, (0, 5, 0, 3)).reshape(3, 8, 8, 10, 8).mean(dim=(2, 4))
    walked = walked_by_definition(start, affinity, 5, 8, 3)
    expected = F.interpolate(walked[None], size=(64, 80), mode='bilinear')[0, :, :61, :75]
    result = model.predict(image[None], [sample(scores, (4, 9))])[0]
    if method == 'exact':
        near(result.walk_scores.data, expected)
    else:
        torch.testing.assert_close(result.walk_scores.data, expected, atol=1e-4, rtol=0)
    labels = torch.tensor([0, 4, 9])[result.walk_scores.data.argmax(dim=0, keepdim=True)]
    assert torch.equal(result.pred_sem_seg.data, labels)
    assert len(labels.unique()) > 1


@pytest.mark.parametrize(('flip', 'pad_to'), [(False, None), (True, 64), (True, 32)])
def test_irn_walk_by_its_definition(flip: bool, pad_to: int | None) -> None:
    model = build(IRN, flip=flip, pad_to=pad_to, radius=4, threshold=0.5).eval()
    image, scores = picture(42, 55), seeds(2, 42, 55) / 2
    side = {None: (44, 56), 32: (44, 56), 64: (64, 64)}[pad_to]

    def logits(view: torch.Tensor) -> torch.Tensor:
        view = F.pad(view, (0, side[1] - 55, 0, side[0] - 42))
        with torch.no_grad():
            return model(view[None])[0][0, 0, :11, :14]

    edge = logits(image)
    if flip:
        edge = (edge + logits(image.flip(-1)).flip(-1)) / 2
    edge = edge.sigmoid()
    start = F.interpolate(scores[None], size=(11, 14), mode='bilinear')[0]
    start = start / (start.amax(dim=(1, 2), keepdim=True) + 1e-5) * (1 - edge)
    affinity = boundary_affinity(edge, neighbour_offsets(4))
    walked = walked_by_definition(start, affinity, 4, 10, 3)
    maps = F.interpolate(walked[None], size=(44, 56), mode='bilinear')[0, :, :42, :55]
    maps = maps / maps.max()
    result = model.predict(image[None], [sample(scores, (4, 9))])[0]
    expected = torch.cat([torch.full((1, 42, 55), 0.5), maps])
    near(result.walk_scores.data, expected)
    labels = torch.tensor([0, 4, 9])[expected.argmax(dim=0, keepdim=True)]
    assert torch.equal(result.pred_sem_seg.data, labels)
    assert set(labels.unique().tolist()) >= {0, 4}


@pytest.mark.parametrize(
    ('size', 'radius'), [((96, 104), 5), ((80, 104), 4), ((56, 100), 3), ((24, 50), 1)]
)
def test_published_border_and_radius_of_small_pictures(size: tuple[int, int], radius: int) -> None:
    model = build(PSA, border='published', log_steps=2).eval()
    image, scores = picture(*size), seeds(1, *size)
    grid = tuple(math.ceil(side / 8) for side in size)
    with torch.no_grad():
        features = model(F.pad(image, (0, -size[1] % 8, 0, -size[0] % 8))[None])[0]
    affinity = feature_affinity(features, neighbour_offsets(radius))
    first = torch.zeros(grid, dtype=torch.bool)
    reach = radius - 1
    first[: grid[0] - reach, reach : grid[1] - reach] = True
    rows = torch.cat([torch.full((1, *size), 0.27), scores])
    start = F.avg_pool2d(F.pad(rows, (0, -size[1] % 8, 0, -size[0] % 8)), 8)
    walked = walked_by_definition(start, affinity * first, radius, 8, 2)
    if radius != 3:  # two corners have no neighbours
        assert torch.equal(walked[:, -1, [0, -1]], start[:, -1, [0, -1]])
    expected = F.interpolate(walked[None], scale_factor=8, mode='bilinear')[0]
    near(model.walk_seeds(image, scores), expected[:, : size[0], : size[1]])
    full = build(PSA, log_steps=2).eval().walk_seeds(image, scores)
    assert (full - expected[:, : size[0], : size[1]]).abs().max() > 1e-3


@MODES
@pytest.mark.parametrize('border', ['full', 'published'])
@pytest.mark.parametrize('size', [(1, 1), (7, 300), (1, 40), (33, 50)])
def test_any_size(config: dict, border: str, size: tuple[int, int]) -> None:
    model = build(config, border=border).eval()
    result = model.predict(picture(*size)[None], [sample(seeds(2, *size), (1, 20))])[0]
    assert result.walk_scores.data.shape == (3, *size)
    assert result.walk_scores.data.isfinite().all()
    assert result.pred_sem_seg.data.shape == (1, *size)
    assert set(result.pred_sem_seg.data.unique().tolist()) <= {0, 1, 20}


@MODES
def test_a_picture_without_tags_is_background_and_costs_nothing(
    config: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(config).eval()
    monkeypatch.setattr(model.backbone, 'forward', lambda *_: pytest.fail('run without need'))
    result = model.predict(picture(30, 40)[None], [sample(torch.zeros(0, 50, 70), ())])[0]
    assert result.walk_scores.data.shape == (1, 50, 70)
    assert result.pred_sem_seg.data.shape == (1, 50, 70)
    assert result.pred_sem_seg.data.dtype == torch.long
    assert not result.pred_sem_seg.data.any()


@MODES
def test_one_class_that_fills_the_picture(config: dict) -> None:
    model = build(config).eval()
    scores = torch.ones(1, 40, 48)
    result = model.predict(picture(40, 48)[None], [sample(scores, (7,))])[0]
    if config is PSA:
        assert torch.all(result.pred_sem_seg.data == 7)
    else:
        assert result.walk_scores.data[1].max() == 1
        assert (result.pred_sem_seg.data == 7).any()


@MODES
def test_the_floor_of_seeds_is_taken_off_before_they_walk(config: dict) -> None:
    image, scores = picture(40, 48), seeds(2, 40, 48)
    expected = build(config).walk_seeds(image, (scores - 0.3).relu() / 0.7)
    found = build(config, seed_floor=0.3).walk_seeds(image, scores)
    torch.testing.assert_close(found, expected)
    assert (found - build(config).walk_seeds(image, scores)).abs().max() > 1e-3


@MODES
def test_seeds_without_any_score_are_background(config: dict) -> None:
    result = (
        build(config)
        .eval()
        .predict(picture(40, 48)[None], [sample(torch.zeros(2, 40, 48), (7, 8))])[0]
    )
    assert result.walk_scores.data.isfinite().all()
    assert not result.pred_sem_seg.data.any()


@MODES
def test_a_resized_picture_gets_its_size_back(config: dict) -> None:
    model = build(config).eval()
    image = picture(24, 32)
    scores = torch.rand(2, 48, 96, generator=torch.Generator().manual_seed(0))
    result = model.predict(image[None], [sample(scores, (2, 5))])[0]
    small = scores.reshape(2, 24, 2, 32, 3).mean(dim=(2, 4))
    expected = model.predict(image[None], [sample(small, (2, 5))])[0].walk_scores.data
    expected = F.interpolate(expected[None], size=(48, 96), mode='bilinear')[0]
    if config is IRN:
        expected[1:] /= expected[1:].max()
    torch.testing.assert_close(result.walk_scores.data, expected)


def test_pictures_of_a_padded_batch_are_walked_as_if_alone() -> None:
    model = build(PSA).eval()
    first, second = picture(40, 48), picture(32, 56, 1)
    inputs = torch.stack([F.pad(first, (0, 8)), F.pad(second, (0, 0, 0, 8))])
    samples = [
        sample(seeds(2, 40, 48), (1, 2), img_shape=(40, 48)),
        sample(seeds(1, 32, 56), (3,), img_shape=(32, 56)),
    ]
    for result, image in zip(model.predict(inputs, samples), (first, second)):
        alone = model.walk_seeds(image, result.seed.data)
        assert torch.equal(result.walk_scores.data, alone)


@MODES
def test_modes_of_forward(config: dict) -> None:
    model = build(config).eval()
    inputs = picture(32, 40)[None]
    stride = model.decode_head.stride
    for output in (model(inputs), model.encode_decode(inputs, [{}])):
        first = output if config is PSA else output[0]
        assert first.shape[-2:] == (32 // stride, 40 // stride)
    samples = model(inputs, [sample(seeds(1, 32, 40), (1,))], mode='predict')
    assert not samples[0].walk_scores.data.requires_grad
    with pytest.raises(ValueError, match='LoadSeed'):
        model.predict(inputs)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda s: s.pop('seed'), r'a\.jpg: .*put LoadSeed into the pipeline'),
        (lambda s: s.pop('seed_classes'), 'LoadSeed'),
        (lambda s: s.set_metainfo(dict(ori_shape=(32, 41))), r'expected .* size \(32, 41\)'),
        (lambda s: s.set_data(dict(seed_classes=LabelData(label=torch.ones(3)))), '3 classes'),
    ],
)
def test_seeds_that_do_not_fit_are_refused(change: Any, words: str) -> None:
    data = sample(seeds(2, 32, 40), (1, 2))
    change(data)
    with pytest.raises(ValueError, match=words):
        build(PSA).predict(picture(32, 40)[None], [data])


def test_the_result_is_refined_by_the_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (32, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    calls = []

    def refine(
        image: np.ndarray, scores: torch.Tensor, classes: Any, number: int, **how: str
    ) -> Any:
        calls.append((image, scores, classes.tolist(), number, how))
        return np.full(image.shape[:2], 2, np.uint8)

    monkeypatch.setattr(affinity_segmentor, 'refine_labels', refine)
    model = build(PSA, refine=dict(method='pamr')).eval()
    data = sample(seeds(2, 32, 40), (1, 2))
    data.set_metainfo(dict(img_path=str(tmp_path / 'a.png')))
    result = model.predict(picture(32, 40)[None], [data])[0]
    image, scores, classes, number, how = calls.pop()
    assert np.array_equal(image, pixels)
    assert torch.equal(scores, result.walk_scores.data)
    assert (classes, number, how) == ([0, 1, 2], 21, dict(method='pamr', crf='random_walk'))
    assert torch.all(result.pred_sem_seg.data == 2)
    assert result.pred_sem_seg.data.dtype == torch.long
    result = model.predict(picture(32, 40)[None], [sample(torch.zeros(0, 32, 40), ())])[0]
    assert not calls
    assert not result.pred_sem_seg.data.any()


def test_pixel_adaptive_refinement_of_the_result(tmp_path: Path) -> None:
    Image.new('RGB', (40, 32), (90, 120, 30)).save(tmp_path / 'a.png')
    data = sample(seeds(2, 32, 40), (1, 2))
    data.set_metainfo(dict(img_path=str(tmp_path / 'a.png')))
    model = build(PSA, refine=dict(method='pamr')).eval()
    result = model.predict(picture(32, 40)[None], [data])[0]
    assert result.pred_sem_seg.data.shape == (1, 32, 40)
    assert set(result.pred_sem_seg.data.unique().tolist()) <= {0, 1, 2}


@pytest.mark.parametrize(
    ('test_cfg', 'words'),
    [
        (dict(scales=(1, 2)), "no entry 'scales'"),
        (dict(radius=0), 'test_cfg.radius must be an integer of at least 1, got 0'),
        (dict(radius=2.5), 'test_cfg.radius'),
        (dict(log_steps=-1), 'test_cfg.log_steps'),
        (dict(log_steps=True), 'test_cfg.log_steps'),
        (dict(pad_to=0), 'test_cfg.pad_to'),
        (dict(beta=0), 'test_cfg.beta'),
        (dict(beta='8'), 'test_cfg.beta'),
        (dict(border='half'), 'test_cfg.border'),
        (dict(method='dense'), 'test_cfg.method'),
        (dict(seed_resize='nearest'), 'test_cfg.seed_resize'),
        (dict(seed_floor=1.0), 'test_cfg.seed_floor'),
        (dict(flip='yes'), 'test_cfg.flip'),
        (dict(background=0.27), 'test_cfg.background'),
        (dict(background=dict(gamma=1)), 'test_cfg.background'),
        (dict(background=dict(alpha=4, constant=0.2)), 'alpha'),
        (dict(background=dict(constant=None)), 'alpha'),
        (dict(background=dict(constant=2)), 'constant'),
        (dict(threshold=0.3), 'goes with background=None'),
        (dict(background=None, threshold=2), 'test_cfg.threshold'),
        (dict(refine=dict(steps=3)), 'test_cfg.refine has no entry'),
        (dict(refine=dict(method='magic')), 'magic'),
        (dict(refine=dict(method='densecrf', crf='magic')), 'magic'),
    ],
)
def test_bad_settings_are_refused(test_cfg: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build(PSA, **test_cfg)


def test_settings_are_inherited_one_by_one() -> None:
    assert build(PSA).test_cfg == {**affinity_segmentor.TEST_DEFAULTS}
    cfg = build(IRN, threshold=None, refine=None).test_cfg
    assert cfg['threshold'] == 0.25
    assert cfg['refine'] == dict(method='none', crf='random_walk')
    cfg = build(PSA, background=dict(constant=None, alpha=6)).test_cfg
    assert cfg['background'] == dict(alpha=6)
