"""The data of a run: VOC's layout as it is, or lists and classes made from a folder of pictures and its tags."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmppc.datasets.names import (
    PICTURE_SUFFIXES,
    check_classes,
    examples,
    list_files,
    read_classes,
    read_lines,
    sample_id,
)
from mmppc.datasets.tags import load_tags, tag_names
from mmppc.datasets.toy import draw_toy_set
from mmppc.datasets.voc import voc_palette
from mmppc.storage.atomic import atomic_write

BACKGROUND = 'background'
HELD_OUT = 5
"""Where every picture has a mask and nothing says which are for validation, one in so many is."""


@dataclass(frozen=True)
class DataFiles:
    """Where the data of a run are; all paths are absolute.

    Attributes:
        root: Data folder.
        pictures: Folder of the pictures.
        masks: Folder of true masks, or None.
        tags: CSV, JSON or folder of VOC XML files.
        classes_file: Names of the classes, background first; None where the configs name them.
        lists: ``train`` and, if there is one, ``val``: files with a picture a line.
        made: Which of these were made from the folder, for people.
    """

    root: Path
    pictures: Path
    masks: Path | None
    tags: Path
    classes_file: Path | None
    lists: Mapping[str, Path]
    made: tuple[str, ...] = ()

    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes; None where the configs name them."""
        return None if self.classes_file is None else read_classes(self.classes_file)

    def has(self, split: str) -> bool:
        """Whether there is such a split."""
        return split in self.lists

    def record(self) -> dict[str, Any]:
        """For ``pipeline.json``: paths as text, ``classes`` and ``palette`` (None where the configs name them)."""
        names = self.classes()
        paths = {
            key: value if value is None else str(value)
            for key, value in asdict(self).items()
            if key not in ('lists', 'made', 'classes_file')
        }
        return {
            **paths,
            'lists': {split: str(path) for split, path in self.lists.items()},
            'made': list(self.made),
            'classes': None if names is None else list(names),
            'palette': None
            if names is None
            else [list(colour) for colour in voc_palette(len(names))],
        }


def find_data(
    settings: Mapping[str, Any],
    given: Mapping[str, Path | None],
    folder: Path,
    *,
    work_dir: Path | None = None,
    toy_folder: Path | None = None,
) -> DataFiles:
    """The data that a pipeline and the command line describe; what is missing is made in ``folder``.

    A path of the command line is tried as it stands, then below the data folder; what it does not name is looked for
    where the pipeline's ``data`` says. What is not there either is missing or, with ``make_missing`` in ``data``,
    made:

    * pictures: all below the data folder;
    * classes: the background and the names that occur as tags, sorted;
    * the list ``train``: all pictures with tags that are not in ``val``;
    * the list ``val``: where there is a folder of masks, the pictures that have one; where all have one, every fifth
      in the order of their names' digests, which does not change when pictures are added.

    Args:
        settings: ``data`` of the pipeline: ``root``, ``pictures``, ``masks``, ``tags``, ``classes``, ``lists``,
            ``make_missing``; ``toy``: arguments of :func:`~mmppc.datasets.toy.draw_toy_set`, to draw it in ``root``.
        given: ``root``, ``pictures``, ``masks``, ``tags``, ``classes``, ``train_list``, ``val_list`` of the command
            line.
        folder: Where made lists and classes go.
        work_dir: The run's folder, whose pictures are none of the data's; by default the one above ``folder``.
        toy_folder: Where a toy set is drawn that is not there yet; by default ``root``.

    Raises:
        FileNotFoundError: A folder or file is missing.
        ValueError: There are no pictures with tags, nothing is left for training, no mask has the name of a picture,
            a picture is in both lists, or a path or name cannot be written into configs and lists.
    """
    root = Path(given.get('root') or settings.get('root') or '.').resolve()
    if settings.get('toy') is not None and given.get('root') is None:
        there = root.is_dir() and any(root.iterdir())
        root = draw_toy_set(root if there else toy_folder or root, **settings['toy']).resolve()
    if not root.is_dir():
        raise FileNotFoundError(f'data folder not found: {root}; name yours with --data-root')

    def place(name: str, usual: str | None) -> Path | None:
        return _given(given.get(name), root, name) or _usual(root, usual)

    pictures = place('pictures', settings.get('pictures')) or root
    masks = place('masks', settings.get('masks'))
    tags = place('tags', settings.get('tags')) or _usual(root, 'tags.csv')
    if tags is None:
        raise FileNotFoundError(
            f'{root}: no tags there ({settings.get("tags") or "tags.csv"}); name the CSV (image,tags), JSON or '
            'folder of VOC XML files with --tags'
        )
    usual_lists = settings.get('lists') or {}
    lists = {
        split: path
        for split in ('train', 'val')
        if (path := _listed(given, root, split, usual_lists.get(split))) is not None
    }
    classes_file = place('classes', settings.get('classes'))
    if not settings.get('make_missing'):
        _check_all_there(root, settings, pictures, masks, classes_file, lists)
    made: list[str] = []
    if classes_file is None and (settings.get('classes') is not None or 'train' not in lists):
        names = [BACKGROUND, *_found_classes(tags)]
        classes_file = folder / 'classes.txt'
        _write_lines(classes_file, names)
        made.append(f'classes ({", ".join(names)})')
    if 'train' not in lists or ('val' not in lists and masks is not None):
        tagged = load_tags(tags, _foreground(tags, classes_file)).keys()
        members = _members(pictures, tags, tagged, leave_out=(masks, work_dir or folder.parent))
        for split, names in _split(pictures, members, masks, lists).items():
            lists[split] = folder / f'{split}.txt'
            _write_lines(lists[split], names)
            text = f'{len(names)} pictures; {len(members)} of {len(tagged)} with tags were found'
            made.append(f'list of {split} ({text})')
    _check_apart(lists)
    for path in (root, pictures, masks, tags, classes_file, *lists.values()):
        check_path(path)
    return DataFiles(root, pictures, masks, tags, classes_file, lists, tuple(made))


def _check_all_there(
    root: Path,
    settings: Mapping[str, Any],
    pictures: Path,
    masks: Path | None,
    classes_file: Path | None,
    lists: Mapping[str, Path],
) -> None:
    """FileNotFoundError if something that the pipeline names is not there."""
    usual = settings.get('lists') or {}
    found = {
        'pictures': pictures != root or settings.get('pictures') in (None, '.'),
        'masks': masks is not None or settings.get('masks') is None,
        'classes': classes_file is not None or settings.get('classes') is None,
        **{f'lists.{split}': split in lists for split in usual},
    }
    for name, there in found.items():
        if not there:
            key, _, split = name.partition('.')
            path = root / (usual[split] if split else settings[key])
            hint = ''
            if path.name == 'train_aug.txt':
                hint = '; tools/dataset_converters/sbd_to_voc_aug.py makes it of SBD'
            raise FileNotFoundError(f'data.{name}: {path} not found{hint}')


def check_path(path: Path | None) -> None:
    """ValueError if a config cannot hold the path: MMEngine fills ``{{ ... }}`` in."""
    if path is not None and '{{' in str(path):
        raise ValueError(
            f"{path}: '{{{{' in a path would be filled in by the configs; rename the folder"
        )


def _foreground(tags: Path, classes_file: Path | None) -> tuple[str, ...]:
    return tuple(_found_classes(tags)) if classes_file is None else read_classes(classes_file)[1:]


def _check_apart(lists: Mapping[str, Path]) -> None:
    """ValueError if a picture is in both lists."""
    if len(lists) < 2:
        return
    train, val = (
        {sample_id(line) for line in read_lines(lists[split])} for split in ('train', 'val')
    )
    both = sorted(train & val)
    if both:
        raise ValueError(
            f'{lists["train"]} and {lists["val"]} share pictures: {examples(both)}; figures of val would be '
            'of pictures that were trained on'
        )


def _given(path: Path | None, root: Path, name: str) -> Path | None:
    """A path of the command line, as it stands or below the data folder."""
    if path is None:
        return None
    for candidate in (path, root / path):
        if candidate.exists():
            return candidate.resolve()
    option = name.replace('_', '-')
    raise FileNotFoundError(f'--{option}: {path} not found, neither as it stands nor below {root}')


def _usual(root: Path, name: str | None) -> Path | None:
    return root / name if name and (root / name).exists() else None


def _listed(
    given: Mapping[str, Path | None], root: Path, split: str, usual: str | None
) -> Path | None:
    return _given(given.get(f'{split}_list'), root, f'{split}_list') or _usual(root, usual)


def _found_classes(tags: Path) -> list[str]:
    """The classes that occur as tags, sorted."""
    names = tag_names(tags, guess=False)
    if BACKGROUND in names:
        raise ValueError(
            f'{tags}: {BACKGROUND!r} is a tag, expected classes only: a picture that shows none has no tag'
        )
    if not names:
        raise ValueError(f'{tags}: no picture has a tag, expected at least one class')
    return list(check_classes([BACKGROUND, *sorted(names)], str(tags))[1:])


def _members(
    pictures: Path, tags: Path, tagged: Collection[str], *, leave_out: Sequence[Path | None]
) -> dict[str, str]:
    """Pictures with tags: sample id -> path below their folder. What lies in certain folders below is left out."""
    files = list_files(pictures, PICTURE_SUFFIXES)
    inside = [
        f'{folder.relative_to(pictures).as_posix()}/'
        for folder in leave_out
        if folder is not None and pictures in folder.parents
    ]
    members = {
        sample_id(key): paths[0]
        for key, paths in files.items()
        if sample_id(key) in tagged and not any(key.startswith(prefix) for prefix in inside)
    }
    if not members:
        raise ValueError(
            f'{tags}: none of its {len(tagged)} pictures is below {pictures}, which has {len(files)}: the tags name '
            f'{examples(sorted(tagged))}, the folder has {examples(sorted(files))}'
        )
    return members


def _split(
    pictures: Path, members: Mapping[str, str], masks: Path | None, lists: Mapping[str, Path]
) -> dict[str, list[str]]:
    """Paths of the pictures of each split that has no list yet."""
    listed = {
        split: {sample_id(line) for line in read_lines(path)} for split, path in lists.items()
    }
    splits: dict[str, list[str]] = {}
    taken = listed.get('val', set())
    if 'val' not in lists and masks is not None:
        free = [key for key in members if key not in listed.get('train', ())]
        with_mask = set(list_files(masks, ('.png',)))
        val = [key for key in free if key in with_mask]
        if not any(key in with_mask for key in members):
            raise ValueError(
                f'{masks}: none of its {len(with_mask)} masks (PNG) has the name of a picture: the masks are '
                f'{examples(sorted(with_mask))}, the pictures {examples(sorted(members))}'
            )
        if len(val) == len(members):
            val = _held_out(val)
        taken = set(val)
        splits['val'] = [members[key] for key in val]
    if 'train' not in lists:
        splits['train'] = [path for key, path in members.items() if key not in taken]
        if not splits['train']:
            raise ValueError(f'{pictures}: no picture is left for training, all are for validation')
    return {split: paths for split, paths in splits.items() if paths}


def _held_out(keys: list[str]) -> list[str]:
    """One picture in five, by a digest of its name."""
    chosen = [
        key for key in keys if int(hashlib.sha256(key.encode()).hexdigest(), 16) % HELD_OUT == 0
    ]
    if len(keys) < 2:
        return []
    return chosen if 0 < len(chosen) < len(keys) else keys[:1]


def _write_lines(path: Path, lines: list[str]) -> None:
    text = ''.join(f'{line}\n' for line in lines)
    if path.is_file() and path.read_text(encoding='utf-8') == text:
        return
    with atomic_write(path, 'w') as file:
        file.write(text)
