"""PSA's head: features, losses and affinities of a picture and its mirror image."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from mmppc.functional.affinity import feature_affinity, neighbour_offsets
from mmppc.models.heads import AffinityHead

TINY = dict(type='AffinityHead', in_channels=(6, 8, 10), channels=(2, 3, 4))
OFFSETS = neighbour_offsets(3)


def build(**changes: object) -> AffinityHead:
    torch.manual_seed(0)
    return MODELS.build({**TINY, **changes})


def levels(*sizes: tuple[int, int], number: int = 1) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(number, channels, *size, generator=generator)
        for channels, size in zip((6, 8, 10), sizes)
    ]


def test_features_are_fused_projections() -> None:
    head = build()
    taps = levels((5, 7), (5, 7), (5, 7), number=2)
    parts = [
        F.elu(torch.einsum('nchw,dc->ndhw', tap, getattr(head, f'proj{k}').weight[:, :, 0, 0]))
        for k, tap in enumerate(taps)
    ]
    fuse = head.fuse.weight[:, :, 0, 0]
    expected = F.elu(torch.einsum('nchw,dc->ndhw', torch.cat(parts, dim=1), fuse))
    assert expected.shape == (2, 9, 5, 7)
    torch.testing.assert_close(head(taps), expected)


def test_published_layers() -> None:
    with torch.device('meta'):
        head = AffinityHead()
    assert {name: tuple(value.shape) for name, value in head.state_dict().items()} == {
        'proj0.weight': (64, 512, 1, 1),
        'proj1.weight': (128, 1024, 1, 1),
        'proj2.weight': (256, 4096, 1, 1),
        'fuse.weight': (448, 448, 1, 1),
    }
    assert head.affinity_loss.offsets.shape == (34, 2)
    assert head.affinity_loss.offsets.device.type == 'cpu'


def test_initialisation_is_the_published_one() -> None:
    head = MODELS.build({**TINY, 'in_channels': (512, 8, 10), 'channels': (64, 64, 64)})
    head.init_weights()
    assert head.proj0.weight.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.02)
    bound = 4 * (6 / (2 * 192)) ** 0.5
    assert head.fuse.weight.abs().max().item() == pytest.approx(bound, rel=0.01)


def test_other_levels_are_brought_to_the_first() -> None:
    head = build(in_indices=(2, 0, 1))
    taps = levels((5, 7), (3, 4), (3, 4))
    features = head([taps[1], taps[2], taps[0]])
    assert features.shape == (1, 9, 5, 7)
    # Levels that do not vary stay what they are.
    flat = [tap.mean(dim=(2, 3), keepdim=True).expand_as(tap) for tap in taps]
    same = [tap.mean(dim=(2, 3), keepdim=True).expand(-1, -1, 5, 7) for tap in taps]
    torch.testing.assert_close(head([flat[1], flat[2], flat[0]]), head([same[1], same[2], same[0]]))


def test_loss_is_that_of_the_affinities() -> None:
    head = build(loss=dict(type='AffinityLoss', radius=3, loss_weight=2.0))
    taps = levels((5, 7), (5, 7), (5, 7), number=2)
    labels = torch.randint(0, 3, (2, 5, 7), generator=torch.Generator().manual_seed(2))
    labels[:, 0] = 255
    losses = head.loss(taps, labels)
    assert set(losses) == {'loss_bg', 'loss_fg', 'loss_neg'}
    features = head(taps)
    sums = dict.fromkeys(losses, 0.0)
    counts = dict.fromkeys(losses, 0)
    for n in range(2):
        for dy, dx in OFFSETS.tolist():
            for y in range(5 - dy):
                for x in range(max(-dx, 0), 7 - max(dx, 0)):
                    first, second = int(labels[n, y, x]), int(labels[n, y + dy, x + dx])
                    if 255 in (first, second):
                        continue
                    difference = features[n, :, y, x] - features[n, :, y + dy, x + dx]
                    a = torch.exp(-difference.abs().mean()).item()
                    kind = 'neg' if first != second else 'fg' if first else 'bg'
                    sums[f'loss_{kind}'] -= torch.tensor(
                        (1 - a if kind == 'neg' else a) + 1e-5
                    ).log()
                    counts[f'loss_{kind}'] += 1
    weights = dict(loss_bg=0.25, loss_fg=0.25, loss_neg=0.5)
    for name, value in losses.items():
        expected = 2 * weights[name] * sums[name] / counts[name]
        assert value.item() == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize('labels', [(2, 5, 6), (1, 5, 7), (2, 40, 56)])
def test_labels_of_another_grid_are_refused(labels: tuple[int, ...]) -> None:
    taps = levels((5, 7), (5, 7), (5, 7), number=2)
    with pytest.raises(ValueError, match=r'expected \(2, 5, 7\): one cell for 8 x 8 pixels'):
        build().loss(taps, torch.zeros(labels, dtype=torch.long))


def test_padding_is_cut_off_before_mirroring() -> None:
    head = build().eval()
    taps = levels((5, 7), (5, 7), (5, 7))
    alone, gate = head.predict(taps, (5, 7), OFFSETS)
    assert gate is None
    torch.testing.assert_close(alone, feature_affinity(head(taps)[0], OFFSETS))
    both = [torch.cat([tap, tap.flip(-1)]) for tap in taps]
    padded = [F.pad(tap, (0, 2, 0, 1), value=9.0) for tap in both]
    pair, _ = head.predict(padded, (5, 7), OFFSETS)
    torch.testing.assert_close(pair, alone)


def test_features_of_both_views_are_averaged() -> None:
    head = build().eval()
    taps = levels((5, 7), (5, 7), (5, 7), number=2)
    features = head(taps)
    expected = feature_affinity((features[0] + features[1].flip(-1)) / 2, OFFSETS)
    torch.testing.assert_close(head.predict(taps, (5, 7), OFFSETS)[0], expected)


def test_a_grid_larger_than_the_features_is_refused() -> None:
    with pytest.raises(ValueError, match=r'maps of \(5, 7\) cells, expected at least \(5, 8\)'):
        build().predict(levels((5, 7), (5, 7), (5, 7)), (5, 8), OFFSETS)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(channels=(2, 3)), 'one value a level'),
        (dict(in_indices=(0, 1)), 'one value a level'),
        (dict(in_channels=(), channels=(), in_indices=()), 'one value a level'),
        (dict(out_channels=0), 'positive'),
        (dict(stride=0), 'positive'),
        (dict(loss=dict(type='AffinityLoss', radius=0)), 'radius'),
        (dict(loss=dict(type='AffinityLoss', radius=5, border='none')), 'border'),
    ],
)
def test_bad_arguments_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build(**changes)
