"""Automatic background thresholds, against loops, and in the contrast."""

import numpy as np
import pytest
import torch

from mmppc.functional.auto_threshold import (
    automatic_threshold,
    otsu_threshold,
    score_histogram,
    share_threshold,
)
from mmppc.functional.contrast import pixel_prototype_contrast
from mmppc.functional.contrast_options import PRESETS, ContrastOptions
from mmppc.functional.contrast_view import score_maps
from tests.functional.golden import contrast_inputs


def literal_otsu(histogram: list[int]) -> float:
    """Otsu's threshold with a loop over all borders and cells."""
    bins = len(histogram)
    cells = np.array([b for b, number in enumerate(histogram) for _ in range(number)], float)
    found: dict[int, float] = {}
    for border in range(1, bins):
        low, high = cells[cells < border], cells[cells >= border]
        if len(low) and len(high):
            weight = len(low) * len(high) / len(cells) ** 2
            found[border] = weight * (high.mean() - low.mean()) ** 2
    if not found:
        return 1.0
    best = max(found.values())
    return float(np.mean([b for b, v in found.items() if np.isclose(v, best, rtol=1e-9)])) / bins


@pytest.mark.parametrize('seed', range(5))
def test_otsu_is_that_of_the_loop(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    histogram = torch.randint(0, 9, (4, 16), generator=generator)
    histogram[1, 5:11] = 0  # two heaps
    histogram[2] = 0
    histogram[2, 3] = 7  # one part only
    histogram[3] = 0
    found = otsu_threshold(histogram)
    assert found.tolist() == pytest.approx([literal_otsu(row.tolist()) for row in histogram])
    assert found[2:].tolist() == [1.0, 1.0]


def test_two_heaps_part_in_the_middle() -> None:
    scores = torch.cat([torch.full((1, 30), 0.1), torch.full((1, 10), 0.7)], dim=1)
    histogram = score_histogram(scores, bins=10)
    assert histogram.tolist() == [[0, 30, 0, 0, 0, 0, 0, 10, 0, 0]]
    assert float(otsu_threshold(histogram)) == pytest.approx(0.45)


def test_histogram_counts_what_it_is_told() -> None:
    scores = torch.tensor([[-1.0, 0.0, 0.24, 0.25, 0.99, 1.0, 3.0]])
    assert score_histogram(scores, bins=4).tolist() == [[3, 1, 0, 3]]
    counted = torch.tensor([[False, True, True, True, True, False, False]])
    assert score_histogram(scores, counted, bins=4).tolist() == [[2, 1, 0, 1]]


def test_share_leaves_at_most_that_many() -> None:
    scores = torch.rand(1, 4000, generator=torch.Generator().manual_seed(0))
    threshold = float(share_threshold(score_histogram(scores)[0], 0.3))
    assert 0.69 <= threshold <= 0.71
    above = (scores >= threshold).float().mean()
    below = (scores >= threshold - 1 / 128).float().mean()
    assert above <= 0.3 < below
    assert float(share_threshold(torch.tensor([0, 0, 0, 8]), 0.3)) == 1.0


def maps() -> tuple[torch.Tensor, torch.Tensor]:
    """Three pictures whose objects stand out at different heights; the last one has no tag."""
    generator = torch.Generator().manual_seed(0)
    scores = 0.05 * torch.rand(3, 4, 8, 8, generator=generator)
    scores[0, 1, :4] += 0.9
    scores[1, 2, 2:] += 0.4
    scores[1, 3] = 1.0  # not a tag of this picture
    scores[2] = 0.5
    tags = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]])
    return scores, tags


def test_a_threshold_a_picture_and_one_for_all() -> None:
    scores, tags = maps()
    each = automatic_threshold(scores, tags, 'otsu_picture')
    assert each.shape == (3, 1, 1, 1)
    # The middle between the heaps.
    assert each[0].item() == pytest.approx(0.475, abs=0.01)
    assert each[1].item() == pytest.approx(0.225, abs=0.01)
    assert each[2].item() == 1
    one = automatic_threshold(scores, tags, 'otsu')
    assert torch.equal(one, one[:1].expand(3, 1, 1, 1))
    strongest = torch.cat([scores[0, 1].flatten(), scores[1, 2].flatten()])
    assert one[0].item() == pytest.approx(
        literal_otsu(np.histogram(strongest, 128, (0, 1))[0].tolist())
    )
    # A quarter of the counted cells stands at 0.9 and more, the lowest border below them is that of the next heap.
    share = automatic_threshold(scores, tags, 'share', share=0.25)
    assert 0.45 <= share[0].item() <= 0.46
    share = automatic_threshold(scores, tags, 'share', share=0.2)
    assert 0.9 <= share[0].item() <= 0.95
    valid = torch.zeros(3, 8, 8, dtype=torch.bool)
    valid[0, :, :] = True
    only = automatic_threshold(scores, tags, 'otsu', valid=valid)
    assert only[0].item() == pytest.approx(each[0].item())
    with pytest.raises(ValueError, match="method='mean', expected one of"):
        automatic_threshold(scores, tags, 'mean')


def test_two_ranks_add_their_histograms(monkeypatch: pytest.MonkeyPatch) -> None:
    from mmppc.functional.distributed import Ranks

    scores, tags = maps()
    whole = automatic_threshold(scores[:2], tags[:2], 'otsu')
    other = score_histogram(scores[1:2, 2]).sum(dim=0)

    class Two(Ranks):
        def total(self, tensor: torch.Tensor) -> torch.Tensor:
            return tensor + other

    found = automatic_threshold(scores[:1], tags[:1], 'otsu', ranks=Two(sync=False))
    assert found.item() == whole[0].item()
    assert automatic_threshold(scores[:1], tags[:1], 'otsu').item() != whole[0].item()


def test_labels_of_the_contrast_follow_it() -> None:
    _, cams, tags = contrast_inputs()
    for method in ('otsu', 'otsu_picture', 'share'):
        options = ContrastOptions(bg_threshold='auto', auto_threshold=method)
        scores, labels = score_maps(cams[0], tags, options)
        threshold = automatic_threshold(scores, tags, method)
        strongest = (scores[:, 1:] * tags[:, :, None, None]).amax(dim=1)
        assert torch.equal(labels > 0, strongest > threshold[:, :, 0])
        assert 0 < (labels > 0).double().mean() < 1
        fixed = ContrastOptions(bg_threshold=float(threshold[0]))
        if method != 'otsu_picture':
            assert torch.equal(labels, score_maps(cams[0], tags, fixed)[1])
    constant = ContrastOptions(bg_threshold='auto', bg_conf='constant')
    scores, _ = score_maps(cams[0], tags, constant)
    expected = automatic_threshold(scores, tags, 'otsu')
    assert torch.equal(scores[:, :1], expected.expand_as(scores[:, :1]))


@pytest.mark.parametrize('preset', ['paper', 'published'])
def test_the_contrast_is_that_of_the_same_number(preset: str) -> None:
    features, cams, tags = contrast_inputs()
    options = ContrastOptions.from_preset(preset, bg_threshold='auto')
    number = float(automatic_threshold(score_maps(cams[0], tags, options)[0], tags, 'otsu')[0])
    keys = [torch.linspace(0, 1, 512)]
    # One view: the two would have a threshold each.
    auto, fixed = (
        pixel_prototype_contrast(
            features[:1], cams[:1], tags, preset=preset, bg_threshold=t, random_keys=keys
        )['loss_intra']
        for t in ('auto', number)
    )
    assert auto.item() == pytest.approx(fixed.item(), rel=1e-12)
    default = pixel_prototype_contrast(
        features[:1], cams[:1], tags, preset=preset, random_keys=keys
    )
    assert default['loss_intra'].item() != pytest.approx(auto.item(), rel=1e-3)


def test_wrong_values_are_refused_and_presets_stay() -> None:
    assert {o.bg_threshold for o in PRESETS.values()} == {0.2}
    for value in (1.0, -0.1, 'otsu'):
        with pytest.raises(ValueError, match=r"bg_threshold must be in \[0, 1\) or 'auto', got"):
            ContrastOptions(bg_threshold=value)
    with pytest.raises(ValueError, match='auto_threshold must be one of'):
        ContrastOptions(auto_threshold='mean')
    with pytest.raises(ValueError, match=r'foreground_share must be in \(0, 1\), got 1'):
        ContrastOptions(foreground_share=1)
