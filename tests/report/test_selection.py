"""The best, the median and the worst of every split, column and class."""

import pytest

from mmppc.report.picture_scores import PictureScores, Score
from mmppc.report.selection import LONGEST, OVERVIEW, choose, make_groups


def scored(mean, **classes):
    labels = {int(name[1:]): value for name, value in classes.items()}
    return PictureScores(tuple(labels), True, {'masks': Score(mean, labels)})


def groups_of(scores, split='val'):
    of = [split] * len(scores)
    return {(g.column, g.label): g for g in make_groups([split], ['masks'], scores, of)}


def test_order_of_a_group():
    means = [50, 10, 90, 30, 70, 20, 80]
    group = groups_of([scored(mean, c1=mean) for mean in means])['masks', None]
    assert group.total == 7
    assert group.members == {'worst': (1, 5, 3), 'median': (0,), 'best': (2, 6, 4)}


@pytest.mark.parametrize(
    ('count', 'sizes'), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (100, (12, 12, 12))]
)
def test_no_picture_is_in_two_lists(count, sizes):
    group = groups_of([scored(float(k), c1=1.0) for k in range(count)])['masks', None]
    members = [group.members[kind] for kind in ('worst', 'median', 'best')]
    assert tuple(map(len, members)) == sizes
    assert len({place for part in members for place in part}) == sum(sizes)
    if count == 100:
        assert members == [tuple(range(12)), tuple(range(44, 56)), tuple(range(99, 87, -1))]


def test_a_class_is_ordered_by_its_own_iou():
    scores = [scored(90, c1=5, c2=99), scored(10, c1=80), scored(50, c2=20)]
    found = groups_of(scores)
    assert found['masks', 1].members['worst'] == (0,)
    assert found['masks', 1].members['best'] == (1,)
    assert found['masks', 1].total == 2
    assert found['masks', 2].members['worst'] == (2,)


def test_pictures_without_scores_are_in_no_group():
    scores = [PictureScores((1,), False, {}), PictureScores((), True, {})]
    assert make_groups(['val'], ['masks'], scores, ['val'] * 2) == []


def test_first_the_overview_of_all_columns_then_classes():
    scores = [scored(float(k), c1=float(100 - k)) for k in range(100)]
    groups = list(groups_of(scores).values())
    of, names = ['val'] * 100, [f'{k:03}' for k in range(100)]
    chosen = choose(groups, scores, of, names, 3 * OVERVIEW)
    assert chosen == [0, 1, 2, 3, *range(48, 52), 96, 97, 98, 99]
    assert choose(groups, scores, of, names, 3) == [0, 49, 99]
    assert choose(groups, scores, of, names, 0) == []
    many = choose(groups, scores, of, names, 40)
    assert set(range(LONGEST)) <= set(many)
    assert len(many) == 40
    assert choose(groups, scores, of, names, 500) == list(range(100))


def test_pictures_without_truth_are_spread_over_their_names():
    scores = [PictureScores((), False, {})] * 90
    names = [f'{(k * 37) % 90:03}' for k in range(90)]
    chosen = choose([], scores, ['test'] * 90, names, 9)
    assert sorted(names[k] for k in chosen) == [f'{k:03}' for k in range(0, 90, 10)]


def test_a_split_without_truth_gets_its_share():
    scores = [scored(float(k), c1=1.0) for k in range(50)] + [PictureScores((), False, {})] * 50
    of = ['val'] * 50 + ['test'] * 50
    groups = make_groups(['val', 'test'], ['masks'], scores, of)
    chosen = choose(groups, scores, of, [str(k) for k in range(100)], 20)
    assert len(chosen) == 20
    assert sum(place >= 50 for place in chosen) == 10
