"""IRN's head: both branches on levels of any strides, losses, and affinities of a picture and its mirror image."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from mmppc.functional.affinity import boundary_affinity, neighbour_offsets
from mmppc.models.heads import BoundaryHead

WIDTHS, STRIDES = (4, 6, 8, 10, 12), (4, 4, 8, 16, 16)
TINY = dict(type='BoundaryHead', in_channels=WIDTHS, strides=STRIDES)
OFFSETS = neighbour_offsets(5)


def build(**changes: object) -> BoundaryHead:
    torch.manual_seed(0)
    head = MODELS.build({**TINY, **changes})
    for module in head.modules():
        if isinstance(module, torch.nn.GroupNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.normal_(module.bias)
    return head


def levels(
    height: int,
    width: int,
    widths: tuple[int, ...] = WIDTHS,
    strides: tuple[int, ...] = STRIDES,
    number: int = 1,
) -> list[torch.Tensor]:
    """Levels of a picture of that size, as a backbone rounds them."""
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(
            number,
            channels,
            math.ceil(height / stride),
            math.ceil(width / stride),
            generator=generator,
        )
        for channels, stride in zip(widths, strides)
    ]


def apply(branch: torch.nn.Sequential, x: torch.Tensor, scale: int = 1) -> torch.Tensor:
    """A branch written out."""
    x = torch.einsum('nchw,dc->ndhw', x, branch.conv.weight[:, :, 0, 0])
    x = F.group_norm(x, branch.norm.num_groups, branch.norm.weight, branch.norm.bias)
    if scale > 1:
        x = F.interpolate(x, scale_factor=scale, mode='bilinear', align_corners=False)
    return x.relu()


@pytest.mark.parametrize('size', [(96, 112), (41, 70), (5, 33)])
def test_equals_the_published_network_written_out(size: tuple[int, int]) -> None:
    head = build().eval()
    head.displacement_mean.copy_(torch.tensor([0.5, -1.0]))
    x1, x2, x3, x4, x5 = taps = levels(*size, number=2)
    height, width = x2.shape[-2:]
    edges = [
        apply(branch, x, scale)[..., :height, :width]
        for branch, x, scale in zip(head.edge_levels, taps, (1, 1, 2, 4, 4))
    ]
    edge = F.conv2d(torch.cat(edges, dim=1), head.edge_out.weight, head.edge_out.bias)
    dp = head.displacement_levels
    half = x3.shape[-2:]
    coarse = [
        apply(dp[2], x3),
        apply(dp[3], x4, 2)[..., : half[0], : half[1]],
        apply(dp[4], x5, 2)[..., : half[0], : half[1]],
    ]
    up = apply(head.displacement_coarse, torch.cat(coarse, dim=1), 2)[..., :height, :width]
    fused = apply(
        head.displacement_fuse, torch.cat([apply(dp[0], x1), apply(dp[1], x2), up], dim=1)
    )
    displacement = F.conv2d(fused, head.displacement_out.weight)
    found = head(taps)
    torch.testing.assert_close(found[0], edge)
    mean = torch.tensor([0.5, -1.0]).view(2, 1, 1)
    torch.testing.assert_close(found[1], displacement - mean)
    torch.testing.assert_close(head.train()(taps)[1], displacement)  # no mean while training


def test_published_layers() -> None:
    with torch.device('meta'):
        head = BoundaryHead()
    weights = {
        name.removesuffix('.weight').removesuffix('.conv'): value.shape[:2]
        for name, value in head.state_dict().items()
        if value.ndim == 4
    }
    assert weights == {
        **{f'edge_levels.{k}': (32, n) for k, n in enumerate((64, 256, 512, 1024, 2048))},
        'edge_out': (1, 160),
        'displacement_levels.0': (64, 64),
        'displacement_levels.1': (128, 256),
        'displacement_levels.2': (256, 512),
        'displacement_levels.3': (256, 1024),
        'displacement_levels.4': (256, 2048),
        'displacement_coarse': (256, 768),
        'displacement_fuse': (256, 448),
        'displacement_out': (2, 256),
    }
    groups = {n: m.num_groups for n, m in head.named_modules() if isinstance(m, torch.nn.GroupNorm)}
    assert groups == {
        **{f'edge_levels.{k}.norm': 4 for k in range(5)},
        'displacement_levels.0.norm': 8,
        **{f'displacement_levels.{k}.norm': 16 for k in range(1, 5)},
        'displacement_coarse.norm': 16,
        'displacement_fuse.norm': 16,
    }
    assert head.affinity_loss.offsets.shape == head.displacement_loss.offsets.shape == (152, 2)


@pytest.mark.parametrize(
    ('widths', 'strides'),
    [
        ((24, 40, 112, 320), (4, 8, 16, 16)),
        ((16, 24, 40, 112), (4, 8, 8, 8)),
        ((8, 8, 8, 8), (4, 8, 16, 32)),
        ((8, 6), (4, 16)),
    ],
)
@pytest.mark.parametrize('size', [(37, 90), (1, 1)])
def test_levels_of_other_backbones(widths: tuple, strides: tuple, size: tuple[int, int]) -> None:
    head = build(in_channels=widths, strides=strides)
    taps = levels(*size, widths=widths, strides=strides, number=2)
    edge, displacement = head(taps)
    grid = tuple(math.ceil(side / 4) for side in size)
    assert edge.shape == (2, 1, *grid)
    assert displacement.shape == (2, 2, *grid)
    losses = head.loss(taps, torch.ones(2, *grid, dtype=torch.long))
    assert all(value.isfinite() for value in losses.values())


def test_a_grid_of_another_stride_and_levels_in_any_place() -> None:
    head = build(in_channels=(8, 6), strides=(16, 8), in_indices=(3, 1), stride=8)
    taps = levels(40, 70, (1, 6, 1, 8), (4, 8, 8, 16))
    edge, displacement = head(taps)
    assert edge.shape == (1, 1, 5, 9)
    assert displacement.shape == (1, 2, 5, 9)


def test_losses_have_names_of_their_own() -> None:
    head = build()
    taps = levels(64, 72, number=2)
    labels = torch.zeros(2, 16, 18, dtype=torch.long)
    labels[:, 4:9, 5:12] = 2
    losses = head.loss(taps, labels)
    edge, displacement = head(taps)
    affinity = boundary_affinity(edge.sigmoid().squeeze(1), neighbour_offsets(10))
    expected = {
        **head.affinity_loss(affinity, labels),
        **head.displacement_loss(displacement, labels),
    }
    assert set(losses) == {'loss_bg', 'loss_fg', 'loss_neg', 'loss_dp_fg', 'loss_dp_bg'}
    for name, value in losses.items():
        assert value > 0
        torch.testing.assert_close(value, expected[name])
    with pytest.raises(ValueError, match=r'expected \(2, 16, 18\): one cell for 4 x 4 pixels'):
        head.loss(taps, labels[:, :15])


def test_each_loss_reaches_its_branch_only() -> None:
    head = build()
    taps = levels(32, 32, number=2)
    labels = torch.randint(0, 2, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    for term, branch in (('loss_neg', 'edge_'), ('loss_dp_fg', 'displacement_')):
        head.zero_grad()
        head.loss(taps, labels)[term].backward()
        reached = {n for n, p in head.named_parameters() if p.grad is not None and p.grad.any()}
        assert reached == {n for n, _ in head.named_parameters() if n.startswith(branch)}


@pytest.mark.parametrize('detach', [True, False])
def test_detach(detach: bool) -> None:
    head = build(detach=detach)
    taps = [tap.requires_grad_() for tap in levels(32, 32)]
    sum(head.loss(taps, torch.ones(1, 8, 8, dtype=torch.long)).values()).backward()
    assert [tap.grad is None for tap in taps] == [detach] * 5


def test_logits_of_both_views_are_averaged_without_their_padding() -> None:
    head = build().eval()
    taps = levels(64, 64, number=2)
    logits = head(taps)[0][:, 0, :14, :15]
    edge = ((logits[0] + logits[1].flip(-1)) / 2).sigmoid()
    affinity, gate = head.predict(taps, (14, 15), OFFSETS)
    torch.testing.assert_close(gate, 1 - edge)
    torch.testing.assert_close(affinity, boundary_affinity(edge, OFFSETS))
    _, gate = head.predict([tap[:1] for tap in taps], (14, 15), OFFSETS)
    torch.testing.assert_close(gate, 1 - logits[0].sigmoid())


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(in_channels=(4, 6)), 'one value a level'),
        (dict(in_indices=(0, 1)), 'one value a level'),
        (dict(strides=(4, 4, 8, 12, 16)), 'multiples of 8'),
        (dict(strides=(2, 4, 8, 16, 16)), 'multiples of 8'),
        (dict(strides=(4, 4, 4, 4, 4)), 'a coarser one'),
        (dict(strides=(8, 8, 8, 16, 16)), 'a level of the grid'),
        (dict(affinity_loss=dict(type='AffinityLoss', radius=0)), 'radius'),
        (dict(displacement_loss=dict(type='DisplacementLoss', radius=5, border='x')), 'border'),
    ],
)
def test_bad_arguments_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build(**changes)


def test_levels_that_are_too_small_are_refused() -> None:
    taps = levels(64, 64)
    taps[3] = taps[3][..., :3]
    with pytest.raises(ValueError, match='strides of decode_head are not those of the backbone'):
        build()(taps)
