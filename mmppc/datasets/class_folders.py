"""A folder a class of pictures, read as pictures with tags; and a split of tagged pictures."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmppc.datasets.names import PICTURE_SUFFIXES, list_files


class ClassFolders(NamedTuple):
    """What :func:`read_class_folders` finds."""

    tags: dict[str, tuple[str, ...]]
    """Picture, below the folder and with its suffix -> its classes."""

    classes: tuple[str, ...]
    """C names, sorted, no background."""

    copies: dict[str, str]
    """Further file of a picture -> the file that stands for it in ``tags``."""

    loose: list[str]
    """Pictures that lie in no class folder and are left out."""

    empty: list[str]
    """Folders without a picture, which are no classes here."""


def read_class_folders(
    folder: str | os.PathLike,
    *,
    no_class: str | None = None,
    progress: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> ClassFolders:
    """Read the pictures below ``folder``, whose class is the first folder of their path.

    Files of the same content are one picture, under its first path, with the classes of all its folders.

    Args:
        folder: Holds a folder for each class, with the pictures in it at any depth.
        no_class: Name of a folder of pictures that show no class.
        progress: Wraps the paths while their contents are read.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no class folder with pictures, two different pictures differ in their suffix only, or a
            picture lies in a class folder and in the one of no class.
    """
    root = Path(folder)
    files = list_files(root, PICTURE_SUFFIXES)
    paths = [path for group in files.values() for path in group if '/' in path]
    loose = [path for group in files.values() for path in group if '/' not in path]
    if not paths:
        raise ValueError(
            f'{root}: expected a folder for each class with pictures in it, found {len(loose)} pictures and no such '
            'folder'
        )
    homes: dict[bytes, str] = {}  # digest of the content -> first path
    copies: dict[str, str] = {}
    found: dict[str, set[str]] = defaultdict(set)
    for path in progress(paths):
        home = homes.setdefault(_digest(root / path), path)
        if home != path:
            copies[path] = home
        found[home].add(path.split('/')[0])
    _refuse_same_names(root, list(found))
    if no_class is not None:
        torn = [path for path, names in found.items() if no_class in names and len(names) > 1]
        if torn:
            raise ValueError(
                f'{root / torn[0]}: the same picture is in {sorted(found[torn[0]])}, of which {no_class!r} says that '
                'it shows no class'
            )
    folders = {path.split('/')[0] for path in paths}
    if no_class is not None and no_class not in folders:
        raise ValueError(f'{root}: no folder {no_class!r} with pictures, found {sorted(folders)}')
    return ClassFolders(
        tags={path: tuple(sorted(names - {no_class})) for path, names in found.items()},
        classes=tuple(sorted(folders - {no_class})),
        copies=copies,
        loose=loose,
        empty=sorted(
            entry.name
            for entry in root.iterdir()
            if entry.is_dir() and not entry.name.startswith('.') and entry.name not in folders
        ),
    )


def _digest(path: Path) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    with open(path, 'rb') as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.digest()


def _refuse_same_names(root: Path, paths: Sequence[str]) -> None:
    """Seeds and masks are filed under a picture's path without its suffix."""
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(os.path.splitext(path)[0], path)
        if other != path:
            raise ValueError(
                f'{root}: {other!r} and {path!r} are different pictures of one name; rename one of them, since seeds '
                'and masks are filed under the name without its suffix'
            )


def stratified_split(
    tags: Mapping[str, Sequence[str]], share: float, seed: int = 0
) -> tuple[list[str], list[str]]:
    """Split tagged pictures in two so that every class has its share in both, as far as whole pictures allow.

    Iterative stratification (Sechidis et al., 2011): the class with the fewest pictures left is dealt first, each
    picture to the part that still wants most of that class. The result depends on the set of pictures and tags and on
    the seed, not on their order.

    Args:
        tags: Picture -> its classes, none, one or several.
        share: Of the second part, in [0, 1).
        seed: Decides among the splits that are equally good.

    Returns:
        Pictures of the first and of the second part, both sorted. A class of few pictures stays in the first part.

    Raises:
        ValueError: If ``share`` is not in [0, 1), or the seed is negative.
    """
    if not 0 <= share < 1 or seed < 0:
        raise ValueError(
            f'share={share}, seed={seed}: expected a share in [0, 1) and a seed of at least 0'
        )
    names = sorted(tags)
    shuffled = [names[k] for k in np.random.default_rng(seed).permutation(len(names))]
    waiting: dict[str, list[str]] = defaultdict(list)
    for name in shuffled:
        for tag in set(tags[name]):
            waiting[tag].append(name)
    weights = (1 - share, share)
    wanted = {tag: [weight * len(group) for weight in weights] for tag, group in waiting.items()}
    room = [weight * len(names) for weight in weights]
    parts: dict[str, int] = {}

    def deal(name: str, wishes: Sequence[float]) -> None:
        # The first part where both want it alike: it is the one that trains.
        part = max((0, 1), key=lambda k: (wishes[k], room[k], -k))
        parts[name] = part
        room[part] -= 1
        for tag in set(tags[name]):
            wanted[tag][part] -= 1

    while waiting:
        rest = {tag: [n for n in group if n not in parts] for tag, group in waiting.items()}
        waiting = {tag: group for tag, group in rest.items() if group}
        if waiting:
            rarest = min(waiting, key=lambda tag: (len(waiting[tag]), tag))
            for name in waiting.pop(rarest):
                deal(name, wanted[rarest])
    for name in shuffled:
        if name not in parts:
            deal(name, room)
    return tuple([name for name in names if parts[name] == part] for part in (0, 1))  # type: ignore[return-value]
