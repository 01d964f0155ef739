"""Confident labels of PSA and IRN against their literal rules, and their limits."""

import numpy as np
import pytest
import torch

from mmppc.functional.confident import merge_confident, merge_irn
from tests.reference.confident import literal_confident, literal_irn


@pytest.mark.parametrize('num_tags', [0, 1, 3])
def test_psa_is_the_literal_rule(num_tags):
    generator = torch.Generator().manual_seed(num_tags)
    # Few distinct values, so that ties occur; and cells without any score.
    low, high = torch.randint(0, 4, (2, 1 + num_tags, 30, 40), generator=generator) / 3
    low[:, :5, :5] = high[:, :5, :5] = 0
    high[-1, 4, 4] = 1.1e-5
    classes = [0, 5, 2, 20][: 1 + num_tags]
    labels = merge_confident(low, high, torch.tensor(classes))
    assert labels.dtype == torch.long
    expected = literal_confident(low.tolist(), high.tolist(), classes)
    assert np.array_equal(labels.numpy(), expected)
    assert set(labels.unique().tolist()) == {*classes, 255}


def test_psa_cell_by_cell():
    low = torch.tensor([[0.9, 0.2, 0.8, 0.0, 0.2], [0.1, 0.8, 0.2, 0.0, 0.8]])[:, None]
    high = torch.tensor([[0.8, 0.1, 0.3, 9e-6, 0.6], [0.2, 0.9, 0.7, 0.0, 0.4]])[:, None]
    # background, class, unsure, no score, and foreground beside much but not beside little background
    labels = merge_confident(low, high, torch.tensor([0, 7], dtype=torch.int32))
    assert labels.tolist() == [[0, 7, 255, 255, 0]]
    labels = merge_confident(low, high, torch.tensor([0, 7]), ignore=99)
    assert labels.tolist() == [[0, 7, 99, 99, 0]]


def test_psa_without_a_tag_is_all_background():
    ones = torch.ones(1, 3, 4)
    assert torch.equal(
        merge_confident(ones, ones, torch.tensor([0])), torch.zeros(3, 4, dtype=torch.long)
    )


@pytest.mark.parametrize('dtype', [np.uint8, np.int64])
def test_irn_is_the_literal_rule(dtype):
    draw = np.random.default_rng(0)
    foreground, background = draw.integers(0, 4, (2, 20, 30)).astype(dtype)
    before = foreground.copy()
    labels = merge_irn(foreground, background)
    assert labels.dtype == dtype
    assert np.array_equal(labels, literal_irn(foreground, background))
    assert np.array_equal(foreground, before)
    assert set(np.unique(labels).tolist()) == {0, 1, 2, 3, 255}
    other = merge_irn(foreground, background, ignore=77)
    assert np.array_equal(other == 77, labels == 255)


def test_irn_without_a_tag_is_all_background():
    empty = np.zeros((3, 4), np.uint8)
    assert np.array_equal(merge_irn(empty, empty), empty)


def test_wrong_input():
    maps, classes = torch.ones(2, 3, 4), torch.tensor([0, 1])
    with pytest.raises(ValueError, match=r'low \(2, 3, 4\), high \(2, 3, 3\)'):
        merge_confident(maps, maps[..., :3], classes)
    with pytest.raises(ValueError, match=r'classes \(1,\), expected'):
        merge_confident(maps, maps, classes[:1])
    with pytest.raises(ValueError, match=r'classes \[3, 1\], expected the background, 0, first'):
        merge_confident(maps, maps, torch.tensor([3, 1]))
    labels = np.zeros((3, 4), np.int8)
    with pytest.raises(ValueError, match='ignore=255 does not fit into int8'):
        merge_irn(labels, labels)
    with pytest.raises(ValueError, match='float32'):
        merge_irn(labels.astype(np.float32), labels)
    with pytest.raises(ValueError, match=r'background \(3, 3\)'):
        merge_irn(labels, labels[:, :3])
