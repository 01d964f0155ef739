"""Tags in all their forms."""

from pathlib import Path

import numpy as np
import pytest

from mmppc.apis.given_tags import GivenTags
from mmppc.apis.picture_stream import Picture
from tests.apis.tiny_networks import CLASSES


def picture(name: str, video: str | None = None) -> Picture:
    return Picture(name, None, video, lambda: np.zeros((1, 1, 3), np.uint8))


def vectors(tags, *names: str) -> list:
    given = GivenTags(tags, CLASSES)
    rows = [given.of(k, picture(name)) for k, name in enumerate(names)]
    given.check_all_used(len(names))
    return [None if row is None else row.tolist() for row in rows]


def test_forms(tmp_path: Path) -> None:
    assert vectors(None, 'a', 'b') == [None, None]
    assert vectors(['square', 'cross'], 'a', 'b') == [[1, 0, 1]] * 2
    assert vectors([1, np.int64(3)], 'a') == [[1, 0, 1]]
    assert vectors([], 'a') == [[0, 0, 0]]
    assert vectors([['circle'], None, []], 'a', 'b', 'c') == [[0, 1, 0], None, [0, 0, 0]]
    mapping = {'a.jpg': ['circle'], 'sub\\Käse': [1], 'c': None}
    assert vectors(mapping, 'c', 'a', 'sub/Käse') == [None, [0, 1, 0], [1, 0, 0]]
    file = tmp_path / 'tags.csv'
    file.write_text('image,tags\na.jpg,circle square\nb,\n', encoding='utf-8')
    assert vectors(str(file), 'b', 'a') == [[0, 0, 0], [1, 1, 0]]


def test_frames_have_their_videos_tags() -> None:
    given = GivenTags({'film': ['square'], 'film/000002': ['circle']}, CLASSES)
    assert given.of(0, picture('film/000001', 'film')).tolist() == [1, 0, 0]
    assert given.of(1, picture('film/000002', 'film')).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ('tags', 'message'),
    [
        (['sqare'], r"tags: unknown tag 'sqare'; nearest known names: 'square'"),
        (['background'], r"tags: unknown tag 'background'"),
        ([0], r'tags: 0, expected channels 1 \(square\) .. 3 \(cross\)'),
        ([['square'], [4]], r'tags\[1\]: 4, expected channels'),
        ([['square'], 'circle'], r"tags\[1\]: found 'circle', expected a list"),
        ({'a': 'circle'}, r"tags\['a'\]: found 'circle', expected a list"),
        (3.5, r"tags: found '3.5', expected a list"),
        ([True], r"tags\[0\]: found 'True'"),
    ],
)
def test_wrong_tags_are_refused(tags, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GivenTags(tags, CLASSES)


def test_tags_and_pictures_have_to_match(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"tags: no tags for picture 'b'"):
        vectors({'a': ['square']}, 'a', 'b')
    with pytest.raises(ValueError, match='tags: 1 lists, but there are more pictures'):
        vectors([['square']], 'a', 'b')
    with pytest.raises(ValueError, match='tags: 2 lists for 1 pictures'):
        vectors([['square'], ['circle']], 'a')
    with pytest.raises(
        FileNotFoundError, match=r"square: .* class names are given as a list, \['square'\]"
    ):
        GivenTags('square', CLASSES)
    with pytest.raises(FileNotFoundError, match=r'missing\.csv'):
        GivenTags(tmp_path / 'missing.csv', CLASSES)
