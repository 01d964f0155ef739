"""Labels of pairs and the losses on them, against the reference values and the pair lists of the published code."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mmppc.functional.affinity import feature_affinity, neighbour_offsets
from mmppc.functional.affinity_loss import affinity_loss, displacement_loss, pair_labels
from tests.reference.affinity import (
    gathered_feature_affinity,
    literal_affinity_loss,
    literal_displacement_loss,
)

OFFSETS = neighbour_offsets(5)


def blocks() -> torch.Tensor:
    """The label map of the reference values."""
    labels = torch.zeros(56, 56, dtype=torch.long)
    labels[10:30, 8:26] = 1
    labels[20:44, 30:50] = 2
    labels[0:6] = 255
    labels[27:33, 20:40] = 255
    return labels


def small_labels(*size: int) -> torch.Tensor:
    drawn = torch.randint(0, 4, size, generator=torch.Generator().manual_seed(2))
    return torch.where(drawn == 3, 255, drawn)


def test_pair_labels_of_the_reference() -> None:
    kinds = pair_labels(blocks(), OFFSETS, border='published')
    assert [int(kind.sum()) for kind in kinds] == [39965, 20069, 9310]


def test_pair_labels_of_a_batch_are_those_of_its_pictures() -> None:
    labels = small_labels(3, 9, 7)
    whole = pair_labels(labels, OFFSETS)
    for number in range(3):
        for kind, single in zip(whole, pair_labels(labels[number], OFFSETS)):
            assert torch.equal(kind[number], single)
    # Every pair of two sure cells inside the grid is of exactly one kind.
    total = sum(kind.long() for kind in whole)
    sure = labels != 255
    index = OFFSETS.tolist().index([2, -3])
    expected = sure[:, :-2, 3:] & sure[:, 2:, :-3]
    assert torch.equal(total[:, index, :-2, 3:].bool(), expected)
    assert total.max() == 1
    assert not total[:, index, -2:].any()


def test_losses_and_gradients_of_the_published_form() -> None:
    generator = torch.Generator().manual_seed(3)
    labels = small_labels(2, 12, 14)
    features = torch.randn(2, 5, 12, 14, generator=generator, dtype=torch.float64)
    ours, theirs = features.clone().requires_grad_(), features.clone().requires_grad_()
    affinity = feature_affinity(ours, OFFSETS)
    loss = sum(affinity_loss(affinity, labels, OFFSETS, border='published').values())
    expected = literal_affinity_loss(gathered_feature_affinity(theirs, OFFSETS), labels, OFFSETS)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-13)

    moves = 3 * torch.randn(2, 2, 12, 14, generator=generator, dtype=torch.float64)
    ours, theirs = moves.clone().requires_grad_(), moves.clone().requires_grad_()
    loss = sum(displacement_loss(ours, labels, OFFSETS, border='published').values())
    expected = literal_displacement_loss(theirs, labels, OFFSETS)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    (2 * loss).backward()
    (2 * expected).backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-13)


def test_each_part_weighs_what_it_should() -> None:
    labels = torch.tensor([[[0, 0, 1, 1]]])
    offsets = torch.tensor([[0, 1]])
    affinity = torch.tensor([[[[0.5, 0.2, 0.25, 0.0]]]])
    losses = affinity_loss(affinity, labels, offsets)
    assert float(losses['loss_bg']) == pytest.approx(0.693147 / 4, rel=1e-4)
    assert float(losses['loss_fg']) == pytest.approx(1.386294 / 4, rel=1e-4)
    assert float(losses['loss_neg']) == pytest.approx(0.223144 / 2, rel=1e-4)


def test_a_right_displacement_costs_nothing() -> None:
    # All cells of the object point to its middle, the background stands still.
    rows, columns = torch.meshgrid(torch.arange(9.0), torch.arange(8.0), indexing='ij')
    labels = torch.zeros(1, 9, 8, dtype=torch.long)
    labels[:, 2:7, 3:6] = 4
    moves = torch.stack([4 - rows, 4 - columns])[None] * (labels > 0)
    # D is the first cell's displacement minus the second's: pointing to one place gives second - first.
    losses = displacement_loss(moves, labels, OFFSETS)
    assert float(losses['loss_dp_fg']) == 0
    assert float(losses['loss_dp_bg']) == 0
    assert float(displacement_loss(-moves, labels, OFFSETS)['loss_dp_fg']) > 0.5


@pytest.mark.parametrize('border', ['full', 'published'])
@pytest.mark.parametrize('size', [(1, 1), (3, 3), (1, 30)])
def test_maps_without_sure_pairs_cost_nothing(size: tuple[int, int], border: str) -> None:
    labels = torch.full((2, *size), 255)
    features = torch.zeros(2, 4, *size, requires_grad=True)
    losses = affinity_loss(feature_affinity(features, OFFSETS), labels, OFFSETS, border=border)
    moves = torch.zeros(2, 2, *size, requires_grad=True)
    losses |= displacement_loss(moves, labels, OFFSETS, border=border)
    total = sum(losses.values())
    assert total.item() == 0
    total.backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_inputs_that_do_not_fit_are_refused() -> None:
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    with pytest.raises(ValueError, match='expected'):
        affinity_loss(torch.rand(1, 34, 4, 5), labels, OFFSETS)
    with pytest.raises(ValueError, match='expected'):
        displacement_loss(torch.rand(1, 2, 4, 5), labels, OFFSETS)
    with pytest.raises(ValueError, match='border'):
        pair_labels(labels, OFFSETS, border='none')


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    labels = small_labels(2, 12, 14)
    labels[1, labels[1] == 1] = 255  # the second picture has fewer pairs
    labels[1, labels[1] == 2] = 255
    return torch.randn(2, 2, 12, 14, generator=generator, dtype=torch.float64), labels


def losses_and_gradient(features: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    features.requires_grad_()
    losses = affinity_loss(feature_affinity(features, OFFSETS), labels, OFFSETS)
    losses |= displacement_loss(features, labels, OFFSETS)
    sum(losses.values()).backward()
    assert features.grad is not None
    return {**{name: loss.detach() for name, loss in losses.items()}, 'gradient': features.grad}


def run_rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/meeting', rank=rank, world_size=2)
    features, labels = batch()
    result = losses_and_gradient(features[rank : rank + 1].clone(), labels[rank : rank + 1])
    torch.save(result, f'{folder}/{rank}.pt')
    dist.barrier()  # PyTorch 2.1 may hang where a group ends while a collective holds a tensor
    dist.destroy_process_group()


def test_two_ranks_equal_one(tmp_path: Path) -> None:
    mp.spawn(run_rank, args=(str(tmp_path),), nprocs=2)
    parts = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    whole = losses_and_gradient(*batch())
    # DistributedDataParallel takes the mean of the ranks' gradients.
    gradient = torch.cat([part.pop('gradient') for part in parts]) / 2
    torch.testing.assert_close(gradient, whole.pop('gradient'), rtol=0, atol=1e-12)
    for name, loss in whole.items():
        mean = (parts[0][name] + parts[1][name]) / 2
        torch.testing.assert_close(mean, loss, rtol=0, atol=1e-12)


def test_batches_that_would_broadcast_are_refused():
    offsets = neighbour_offsets(2)
    affinity = torch.rand(3, len(offsets), 5, 5)
    with pytest.raises(ValueError, match=r'expected \(N, O, h, w\) and \(N, h, w\)'):
        affinity_loss(affinity, torch.zeros(1, 5, 5, dtype=torch.long), offsets)
    for number, labels in ((3, 1), (1, 3)):
        with pytest.raises(ValueError, match=r'expected \(N, 2, h, w\)'):
            displacement_loss(
                torch.rand(number, 2, 5, 5), torch.zeros(labels, 5, 5, dtype=torch.long), offsets
            )
