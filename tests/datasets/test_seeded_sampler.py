from itertools import islice

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset
from torch.utils.data import DataLoader

from mmppc.datasets import SeededSampler


def draw(results):
    """A transform that draws from all generators."""
    drawn = (int(np.random.randint(1 << 30)), int(torch.randint(1 << 30, ())))  # noqa: NPY002
    return results['sample_idx'], *drawn


class DrawingDataset(BaseDataset):
    def load_data_list(self):
        return [{} for _ in range(7)]


def make_dataset():
    return DrawingDataset(pipeline=[draw])


def load(count, num_workers=0, skip=0, seed=3, batch_size=2, **kwargs):
    dataset = make_dataset()
    sampler = SeededSampler(dataset, seed=seed, **kwargs)
    loader = DataLoader(
        dataset, batch_size, sampler=sampler, num_workers=num_workers, collate_fn=list
    )
    if skip:
        sampler.skip(skip * batch_size)
    return [sample for batch in islice(iter(loader), count) for sample in batch]


def test_samples_do_not_depend_on_the_workers_nor_on_what_the_process_drew():
    reference = load(9)
    torch.rand(50)
    assert load(9) == reference
    assert load(9, num_workers=2) == reference
    assert load(9, seed=4) != reference


def test_loading_leaves_the_process_generators_alone():
    torch.manual_seed(0)
    dataset = make_dataset()
    indices = list(islice(iter(SeededSampler(dataset, seed=0)), 3))
    expected = torch.rand(3)
    torch.manual_seed(0)
    for index in indices:
        dataset[index]
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_skipping_continues_the_same_stream(num_workers):
    assert load(5, num_workers, skip=4) == load(9)[8:]


def test_a_round_has_each_sample_once_and_rounds_differ():
    indices = list(islice(iter(SeededSampler(make_dataset(), seed=0)), 21))
    rounds = [indices[k : k + 7] for k in (0, 7, 14)]
    assert all(sorted(one) == list(range(7)) for one in rounds)
    assert rounds[0] != rounds[1]
    unshuffled = SeededSampler(make_dataset(), shuffle=False, seed=0)
    assert list(islice(iter(unshuffled), 9)) == [0, 1, 2, 3, 4, 5, 6, 0, 1]


def test_the_same_sample_is_augmented_differently_each_round():
    drawn = {sample[1:] for sample in load(14, batch_size=1)}
    assert len(drawn) == 14


def test_ranks_share_the_stream_of_one_process(monkeypatch):
    whole = list(islice(iter(SeededSampler(make_dataset(), seed=0)), 12))
    parts = []
    for rank in range(2):
        monkeypatch.setattr(
            'mmppc.datasets.seeded_sampler.get_dist_info', lambda rank=rank: (rank, 2)
        )
        sampler = SeededSampler(make_dataset(), seed=0)
        sampler.skip(2)
        parts.append([(int(i), i.place) for i in islice(iter(sampler), 4)])
    joined = [item for pair in zip(*parts) for item in pair]
    assert joined == [(int(i), i.place) for i in whole[4:]]


def test_draws_take_turns_and_are_the_same_for_every_seed():
    samples = load(42, batch_size=1, draws=3)
    rounds = [{i: (i, *drawn) for i, *drawn in samples[k : k + 7]} for k in range(0, 42, 7)]
    assert rounds[:3] == rounds[3:]
    for index in range(7):
        assert len({one[index] for one in rounds}) == 3
    assert len({sample[1:] for sample in samples}) == 21
    other = load(42, batch_size=1, draws=3, seed=4)
    assert sorted(other[:7]) == sorted(samples[:7])
    assert other[:7] != samples[:7]  # the order is the seed's
    assert set(other) == set(samples)
    assert [i for i, *_ in samples] == [i for i, *_ in load(42, batch_size=1)]
    assert not set(samples) & set(load(42, batch_size=1, draws=3, draw_seed=1))


@pytest.mark.parametrize('num_workers', [0, 2])
def test_skipping_continues_the_same_draws(num_workers):
    assert load(14, num_workers, skip=9, draws=2) == load(23, draws=2)[18:]


def test_ranks_share_the_draws_of_one_process(monkeypatch):
    whole = load(14, batch_size=1, draws=2, seed=0)
    parts = []
    for rank in range(2):
        monkeypatch.setattr(
            'mmppc.datasets.seeded_sampler.get_dist_info', lambda rank=rank: (rank, 2)
        )
        parts.append(load(7, batch_size=1, draws=2, seed=0))
    assert [item for pair in zip(*parts) for item in pair] == whole


def test_the_last_sampler_of_a_dataset_decides():
    dataset = make_dataset()
    SeededSampler(dataset, seed=0, draws=1)
    index = next(iter(SeededSampler(dataset, seed=0)))
    assert index.source == (0, 0)
    assert dataset[index] == load(1, seed=0, batch_size=1)[0]


def test_draws_are_at_least_one():
    with pytest.raises(ValueError, match='draws=0, expected at least 1'):
        SeededSampler(make_dataset(), draws=0)


def test_a_dataset_without_its_own_pipeline_is_refused():
    with pytest.raises(ValueError, match='pipeline of its own, got ConcatDataset'):
        SeededSampler(ConcatDataset([make_dataset()]))
