"""Image tags from VOC XML files, a CSV or a JSON, as multi-hot vectors.

Whatever the source, a picture is named by its path below the picture folder, with or without its
suffix (see :func:`mmppc.datasets.names.sample_id`), and text is UTF-8.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmppc.datasets.names import list_files, nearest_names, read_text, sample_id
from mmppc.storage.atomic import atomic_write


def load_tags(
    path: str | os.PathLike, classes: Sequence[str], *, ignore_unknown: bool = False
) -> dict[str, np.ndarray]:
    """Read the tags of every picture that ``path`` names.

    Args:
        path: What it is decides the format:

            * a folder of VOC ``.xml`` annotations, one a picture (subfolders allowed). The picture
              is named by the XML's own path, not by its ``<filename>``. Every ``<object>``
              counts, also ``difficult`` and truncated ones; parts of an object do not.
            * ``.csv`` with the header ``image,tags`` in any case. Tags are separated by ``;``, ``|`` or (in a
              quoted cell) ``,``, and by blanks too unless a class name itself contains one. An
              empty cell means no tag.
            * ``.csv`` with the header ``image,<class>,<class>,...``, a column for every class, 0 or 1.
            * ``.json``: ``{"picture": ["tag", ...], ...}``.

            The columns of a CSV may be divided by ``,``, ``;`` or tabs: the sign after ``image``.
        classes: C foreground names, no background.
        ignore_unknown: Pass over tags that are not in ``classes`` instead of refusing them, e.g.
            to use a subset of VOC's classes.

    Returns:
        sample id -> float32 (C,), 1 where the class is present, 0 elsewhere.

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        ValueError: If the content is not as described, with the file, the line or field, what was found and
            what was expected.
    """
    file = Path(path)
    names = [unicodedata.normalize('NFC', name) for name in classes]
    if file.is_dir():
        rows = _read_voc_folder(file)
    elif not file.exists():
        raise FileNotFoundError(f'{file}: no such tag file or folder of VOC XML annotations')
    elif file.suffix.lower() == '.csv':
        rows = _read_csv(file, names, ignore_unknown)
    elif file.suffix.lower() == '.json':
        rows = _read_json(file)
    elif file.suffix.lower() in ('.npy', '.npz', '.pkl'):
        raise ValueError(
            f'{file}: tags are not read from pickles; convert the file once with '
            'tools/dataset_converters/cls_labels_to_csv.py'
        )
    else:
        raise ValueError(f'{file}: expected a .csv, a .json or a folder of VOC .xml annotations')
    return _multi_hot(rows, names, ignore_unknown)


def tag_names(path: str | os.PathLike, *, guess: bool = True) -> set[str]:
    """The names that occur as tags, of a source whose classes are not known.

    Formats are those of :func:`load_tags`. In a CSV ``image,tags`` the tags are separated by ``;``, ``|`` or ``,``;
    only if no cell has such a sign, by blanks.

    Args:
        path: The source.
        guess: Whether blanks separate even if a word never stands alone, so that they may be part of a name
            (``guinea pig``).

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        ValueError: If the content is not as described, or without ``guess`` may be read in two ways.
    """
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f'{file}: no such tag file or folder of VOC XML annotations')
    if file.is_dir():
        rows = list(_read_voc_folder(file))
    elif file.suffix.lower() == '.csv':
        rows = list(_read_csv(file, None, ignore_unknown=True))
        table = _table(file)
        header = _header(next(table)[1])
        if not _has_lists(header):
            return set(header[1:])
        if not any(re.search('[;|,]', cell) for _, cells in table for cell in cells[1:]):
            if not guess:
                _check_words(rows)
            rows = [(key, ' '.join(names).split(), where) for key, names, where in rows]
    elif file.suffix.lower() == '.json':
        rows = list(_read_json(file))
    else:
        raise ValueError(f'{file}: expected a .csv, a .json or a folder of VOC .xml annotations')
    return {unicodedata.normalize('NFC', name) for _, names, _ in rows for name in names}


def _check_words(rows: Sequence[_Row]) -> None:
    """ValueError if a cell of several words has one that is nowhere a cell by itself."""
    alone = {name for _, names, _ in rows for name in names}
    for _, names, where in rows:
        words = ' '.join(names).split()
        unsure = [word for word in words if word not in alone]
        if unsure:
            raise ValueError(
                f'{where}: is {" ".join(words)!r} one class or {len(words)}? {unsure[0]!r} is nowhere a tag by itself, '
                "and no cell has a ';'. Separate tags by ';' (after a single tag of several words, too), or list the "
                'classes in a file, one a line, the background first, and give it as --classes'
            )


def write_tags_csv(path: str | os.PathLike, tags: Mapping[str, Sequence[str]]) -> None:
    """Write a CSV that :func:`load_tags` reads, whole or not at all.

    Args:
        path: File to write.
        tags: Picture -> class names.

    Raises:
        ValueError: If a class name holds ``;``, ``|`` or ``,``.
    """
    names = {name for row in tags.values() for name in row}
    wrong = sorted(name for name in names if re.search('[;|,]', name))
    if wrong:
        raise ValueError(f"{path}: class names with ';', '|' or ',' need a JSON: {wrong}")
    with atomic_write(path, 'w') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(('image', 'tags'))
        # A semicolon separates also names with blanks in them.
        writer.writerows((picture, ';'.join(row)) for picture, row in tags.items())


# A row: picture as written, its tags, and where it stands (for messages).
_Row = tuple[str, list[str], str]


def _multi_hot(
    rows: Iterable[_Row], classes: Sequence[str], ignore_unknown: bool
) -> dict[str, np.ndarray]:
    column = {name: index for index, name in enumerate(classes)}
    tags: dict[str, np.ndarray] = {}
    seen: dict[str, str] = {}
    for picture, names, where in rows:
        key = sample_id(picture)
        if key in seen:
            raise ValueError(f'{where}: picture {key!r} has tags already in {seen[key]}')
        seen[key] = where
        vector = np.zeros(len(classes), dtype=np.float32)
        for name in names:
            index = column.get(unicodedata.normalize('NFC', name))
            if index is not None:
                vector[index] = 1
            elif not ignore_unknown:
                raise ValueError(f'{where}: unknown tag {name!r}; {nearest_names(name, classes)}')
        tags[key] = vector
    return tags


def voc_object_names(path: str | os.PathLike) -> list[str]:
    """Class names of the objects in one VOC XML annotation, in its order, repeated as they stand.

    Raises:
        ValueError: If the file is not XML, not a VOC annotation, or an object has no name.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # of an encoding, the latter
        raise ValueError(f'{path}: not well-formed XML: {error}') from None
    if root.tag != 'annotation':
        raise ValueError(
            f'{path}: expected the root element <annotation> of VOC, found <{root.tag}>'
        )
    names = []
    for number, element in enumerate(root.findall('object'), start=1):
        name = (element.findtext('name') or '').strip()
        if not name:
            raise ValueError(f'{path}: object {number} has no <name>')
        names.append(name)
    return names


def _read_voc_folder(folder: Path) -> Iterable[_Row]:
    files = list_files(folder, ('.xml',))
    if not files:
        raise ValueError(f'{folder}: expected VOC annotations, found no .xml file in this folder')
    for key, paths in files.items():
        for path in paths:
            yield key, voc_object_names(folder / path), str(folder / path)


def _read_json(file: Path) -> Iterable[_Row]:
    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            double = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f'{file}: field {double!r} occurs twice')
        return dict(pairs)

    try:
        content = json.loads(read_text(file), object_pairs_hook=distinct)
    except json.JSONDecodeError as error:
        raise ValueError(
            f'{file}: line {error.lineno}, column {error.colno}: not JSON: {error.msg}'
        ) from None
    expected = 'expected {"picture": ["tag", ...], ...}'
    if not isinstance(content, dict):
        raise ValueError(f'{file}: {expected}, found a {type(content).__name__}')
    for picture, tags in content.items():
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise ValueError(f'{file}: field {picture!r}: {expected}, found {str(tags)[:80]!r}')
        yield picture, [tag.strip() for tag in tags], f'{file}: field {picture!r}'


def _table(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of a CSV's rows, the header first.

    Raises:
        ValueError: If the header does not start with ``image``, or the file is not CSV.
    """
    text = read_text(file)
    match = re.match(r'"?image"?\s*([,;\t])', text, flags=re.IGNORECASE)
    if match is None:
        found = text.splitlines()[0][:80] if text.strip() else ''
        raise ValueError(
            f"{file}: line 1: expected the header 'image,tags' or 'image,<class>,<class>,...', "
            f'found {found!r}'
        )
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=match.group(1), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f'{file}: line {reader.line_num}: not CSV: {error}') from None


def _header(cells: Sequence[str]) -> list[str]:
    return [unicodedata.normalize('NFC', cell.strip()) for cell in cells]


def _has_lists(header: Sequence[str]) -> bool:
    """Whether a CSV has one column of tags, not a column for every class."""
    return [name.lower() for name in header[1:]] == ['tags']


def _read_csv(file: Path, classes: Sequence[str] | None, ignore_unknown: bool) -> Iterable[_Row]:
    """Rows of a CSV; where the classes are not known (None), blanks are part of a name."""
    table = _table(file)
    header = _header(next(table)[1])
    as_list = _has_lists(header)
    if not as_list:
        _check_class_columns(file, header[1:], classes, ignore_unknown)
    for line, cells in table:
        where = f'{file}: line {line}'
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise ValueError(
                f'{where}: expected {len(header)} columns, found {len(cells)}: {cells[:8]}'
                + ("; separate the tags by ';' or quote them" if as_list else '')
            )
        if not cells[0].strip():
            raise ValueError(f"{where}: column 'image' is empty, expected a picture's name")
        if as_list:
            yield cells[0], _split_tags(cells[1], classes), where
        else:
            yield cells[0], _marked_columns(header, cells, where), where


def _split_tags(cell: str, classes: Sequence[str] | None) -> list[str]:
    blanks = classes is not None and not any(re.search(r'\s', name) for name in classes)
    parts = re.split(r'[;|,\s]' if blanks else r'[;|,]', cell)
    return [part.strip() for part in parts if part.strip()]


def _check_class_columns(
    file: Path, columns: Sequence[str], classes: Sequence[str] | None, ignore_unknown: bool
) -> None:
    doubles = sorted({name for name in columns if columns.count(name) > 1})
    if doubles:
        raise ValueError(f'{file}: line 1: columns named twice: {doubles}')
    if classes is None:
        return
    unknown = [name for name in columns if name not in classes]
    if unknown and not ignore_unknown:
        raise ValueError(
            f"{file}: line 1: column {unknown[0]!r} is neither 'tags' nor a class; "
            f'{nearest_names(unknown[0], classes)}'
        )
    missing = [name for name in classes if name not in columns]
    if missing:
        raise ValueError(f'{file}: line 1: expected a column for every class, missing: {missing}')


def _marked_columns(header: Sequence[str], cells: Sequence[str], where: str) -> list[str]:
    marked = []
    for name, cell in zip(header[1:], cells[1:]):
        if cell.strip() not in ('0', '1', '0.0', '1.0'):
            raise ValueError(f'{where}: column {name!r}: expected 0 or 1, found {cell!r}')
        if cell.strip() in ('1', '1.0'):
            marked.append(name)
    return marked
