"""EPS's term on views: its names, means and weights, what it needs, and where its gradient goes."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS

import mmppc  # noqa: F401
from mmppc.functional.saliency import saliency_loss
from mmppc.models.losses import SaliencyLoss
from mmppc.models.outputs import ViewOutput
from tests.models.test_cam_segmentor import batch, build

TAGS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])


def view(seed, refined=True, size=(24, 32)):
    generator = torch.Generator().manual_seed(seed)
    grid = (size[0] // 8, size[1] // 8)
    return ViewOutput(
        logits=torch.randn(2, 4, *grid, generator=generator).requires_grad_(),
        size=size,
        refined=torch.rand(2, 4, *grid, generator=generator).requires_grad_() if refined else None,
        saliency=torch.rand(2, 1, *size, generator=generator),
    )


def test_mean_of_the_views_by_name_and_weight():
    views = [view(0), view(1, size=(16, 16))]
    loss = MODELS.build(
        dict(type='SaliencyLoss', threshold=0.2, mix=0.7, maps='both', loss_weight=3.0)
    )
    terms = loss(views, TAGS)
    assert set(terms) == {'loss_saliency', 'loss_saliency_refined'}
    for name, kind in (('loss_saliency', 'logits'), ('loss_saliency_refined', 'refined')):
        first, second = (
            saliency_loss(getattr(v, kind), v.saliency, TAGS, threshold=0.2, mix=0.7) for v in views
        )
        assert terms[name].item() == pytest.approx(3 * (first + second).item() / 2)
    for maps, name in (('logits', 'loss_saliency'), ('refined', 'loss_saliency_refined')):
        only = SaliencyLoss(threshold=0.2, mix=0.7, maps=maps, loss_weight=3.0)(views, TAGS)
        assert set(only) == {name}
        assert torch.equal(only[name], terms[name])
    single = SaliencyLoss()(views[:1], TAGS)['loss_saliency']
    assert torch.equal(single, saliency_loss(views[0].logits, views[0].saliency, TAGS))


def test_what_the_view_does_not_cover_takes_no_part():
    given = view(2)
    given.valid = torch.ones(2, 1, 24, 32, dtype=torch.bool)
    given.valid[..., :3] = False  # cuts the first column of cells
    SaliencyLoss()([given], TAGS)['loss_saliency'].backward()
    grad = given.logits.grad.abs().sum(dim=(0, 1, 2))
    assert grad[0] == 0
    assert (grad[1:] > 0).all()


def test_errors():
    for options, message in (
        (dict(maps='cams'), "maps must be one of .*, got 'cams'"),
        (dict(threshold=1.5), r'threshold must be in \[0, 1\], got 1.5'),
        (dict(mix=-1), r'mix must be in \[0, 1\], got -1'),
    ):
        with pytest.raises(ValueError, match=message):
            SaliencyLoss(**options)
    blind = view(3)
    blind.saliency = None
    with pytest.raises(ValueError, match='needs saliency maps, got none: put LoadSaliency after'):
        SaliencyLoss()([blind], TAGS)
    with pytest.raises(ValueError, match="maps='both' needs refined maps, got none: set `refine`"):
        SaliencyLoss(maps='both')([view(4, refined=False)], TAGS)


@pytest.mark.parametrize(
    ('term', 'expected'),
    [
        ('loss_saliency', {'backbone', 'decode_head.conv_seg'}),
        ('loss_saliency_refined', {'decode_head.refine'}),
    ],
)
def test_gradients_reach_what_they_should(term, expected):
    model = build(losses=dict(saliency=dict(type='SaliencyLoss', maps='both')))
    inputs, samples = batch()
    generator = torch.Generator().manual_seed(5)
    for sample in samples:
        sample.gt_saliency = PixelData(data=torch.rand(1, 64, 64, generator=generator))
    model.train()
    losses = model.loss(inputs, samples)
    assert {'loss_tags', 'loss_er', 'loss_saliency', 'loss_saliency_refined'} < set(losses)
    losses[term].backward()
    reached = set()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and parameter.grad.abs().max() > 0:
            parts = name.split('.')
            reached.add('.'.join(parts[:2]) if parts[0] == 'decode_head' else parts[0])
    assert reached == expected
