"""Tags that come with pictures, in whatever form they are given."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmppc.apis.picture_stream import Picture
from mmppc.datasets.names import nearest_names, sample_id
from mmppc.datasets.tags import load_tags

Tag = str | int
Tags = (
    str
    | os.PathLike
    | Sequence[Tag]
    | Sequence[Sequence[Tag] | None]
    | Mapping[str, Sequence[Tag] | None]
    | None
)


class GivenTags:
    """The tags of each picture, or that it has none and they are to be predicted.

    Args:
        tags: None: no picture has tags. A list of class names or channel numbers (1 is the first class after the
            background): those of every picture; an empty one says that there is nothing to see. A list of such lists:
            one a picture, in order. A mapping from names of pictures to such lists. A path of a CSV, a JSON or a folder
            of VOC XML files, see :func:`~mmppc.datasets.tags.load_tags`. A None in place of a picture's list: its tags
            are to be predicted.
        classes: 1 + C names, background first.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A tag is no class, or ``tags`` is of another form.
    """

    def __init__(self, tags: Tags, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        self.source = 'tags'
        self._common: np.ndarray | None = None
        self._listed: list[np.ndarray | None] | None = None
        self._named: dict[str, np.ndarray | None] | None = None
        if tags is None:
            return
        if isinstance(tags, (str, os.PathLike)):
            self.source = str(tags)
            self._named = dict(self._from_file(tags))
        elif isinstance(tags, Mapping):
            self._named = {
                sample_id(str(name)): self._optional(row, f'tags[{name!r}]')
                for name, row in tags.items()
            }
        elif not isinstance(tags, Sequence):
            raise ValueError(f'tags: {_expected(tags)}')
        elif all(_is_tag(item) for item in tags):
            self._common = self._vector(tags, 'tags')
        else:
            self._listed = [self._optional(row, f'tags[{k}]') for k, row in enumerate(tags)]

    def of(self, index: int, picture: Picture) -> np.ndarray | None:
        """The tags of a picture, float32 (C,) multi-hot; None if they are to be predicted.

        A frame without tags of its own has its video's.

        Args:
            index: Place of the picture among all.
            picture: The picture.

        Raises:
            ValueError: The list is too short, or the mapping or file does not name the picture.
        """
        if self._listed is not None:
            if index >= len(self._listed):
                raise ValueError(
                    f'tags: {len(self._listed)} lists, but there are more pictures; expected one a picture'
                )
            return self._listed[index]
        if self._named is None:
            return self._common
        for name in (picture.sample_id, picture.video):
            if name is not None and name in self._named:
                return self._named[name]
        raise ValueError(
            f'{self.source}: no tags for picture {picture.sample_id!r}; expected some for every picture, or none '
            f'at all to have them predicted; {nearest_names(picture.sample_id, list(self._named))}'
        )

    def check_all_used(self, number: int) -> None:
        """ValueError if there are tags for more than ``number`` pictures, in a list that goes by order."""
        if self._listed is not None and number < len(self._listed):
            raise ValueError(
                f'tags: {len(self._listed)} lists for {number} pictures, expected one a picture'
            )

    def _from_file(self, path: str | os.PathLike) -> dict[str, np.ndarray]:
        if not Path(path).exists() and not Path(path).suffix:
            raise FileNotFoundError(
                f'{path}: no such tag file or folder; class names are given as a list, [{str(path)!r}]'
            )
        return load_tags(path, self.classes[1:])

    def _optional(self, row: Any, where: str) -> np.ndarray | None:
        return None if row is None else self._vector(row, where)

    def _vector(self, row: Any, where: str) -> np.ndarray:
        if isinstance(row, str) or not isinstance(row, Sequence) or not all(map(_is_tag, row)):
            raise ValueError(f'{where}: {_expected(row)}')
        vector = np.zeros(len(self.classes) - 1, np.float32)
        for tag in row:
            vector[self._channel(tag, where) - 1] = 1
        return vector

    def _channel(self, tag: Any, where: str) -> int:
        if isinstance(tag, (int, np.integer)):
            if not 1 <= tag < len(self.classes):
                raise ValueError(
                    f'{where}: {int(tag)}, expected channels 1 ({self.classes[1]}) .. {len(self.classes) - 1} '
                    f'({self.classes[-1]})'
                )
            return int(tag)
        name = unicodedata.normalize('NFC', tag)
        if name not in self.classes[1:]:
            raise ValueError(
                f'{where}: unknown tag {tag!r}; {nearest_names(name, self.classes[1:])}'
            )
        return self.classes.index(name, 1)


def _is_tag(item: Any) -> bool:
    return isinstance(item, (str, int, np.integer)) and not isinstance(item, bool)


def _expected(found: Any) -> str:
    return (
        f'found {str(found)[:80]!r}, expected a list of class names or channel numbers, one such list a picture, a '
        'mapping from pictures to such lists, or a file'
    )
