"""The tags of a source, those that are no class too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmppc.datasets.tags import load_tags, tag_names


@dataclass(frozen=True)
class TagTable:
    """What a tag file says.

    Attributes:
        names: C class names, then the U names that are no class.
        num_classes: C.
        rows: Sample id -> float32 (C + U,), 1 where it is a tag.
    """

    names: tuple[str, ...]
    num_classes: int
    rows: dict[str, np.ndarray]

    def tags_of(self, key: str) -> tuple[str, ...]:
        """Classes that a picture is tagged with; empty without a row."""
        row = self.rows.get(key)
        return (
            ()
            if row is None
            else tuple(self.names[i] for i in np.flatnonzero(row[: self.num_classes]))
        )

    def counts(self, keys: Iterable[str]) -> np.ndarray:
        """How many of these pictures have each tag, (C + U,) int."""
        total = np.zeros(len(self.names), np.int64)
        for key in keys:
            if key in self.rows:
                total += self.rows[key].astype(np.int64)
        return total

    def together(self, keys: Iterable[str]) -> np.ndarray:
        """How many of these pictures have both of two classes, (C, C) int."""
        rows = [self.rows[key][: self.num_classes] for key in keys if key in self.rows]
        if not rows:
            return np.zeros((self.num_classes, self.num_classes), np.int64)
        table = np.stack(rows)
        return (table.T @ table).round().astype(np.int64)


def read_tag_table(path: Path, classes: Sequence[str]) -> TagTable:
    """Read tags without refusing those that are no class.

    Args:
        path: What :func:`~mmppc.datasets.tags.load_tags` reads.
        classes: C foreground names.

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        ValueError: If the content is not as described there.
    """
    found = tag_names(path)
    if not path.is_dir() and path.suffix.lower() == '.csv' and not any(map(_has_blank, classes)):
        # As load_tags: blanks separate tags, unless a class has one in its name.
        found = {part for name in found for part in name.split()}
    unknown = sorted(found - set(classes))
    names = (*classes, *unknown)
    return TagTable(names, len(classes), load_tags(path, names, ignore_unknown=True))


def _has_blank(name: str) -> bool:
    return any(letter.isspace() for letter in name)
