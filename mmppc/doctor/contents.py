"""What each part of a data set holds: classes, pictures, masks, tags. Filled in one after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mmppc.datasets.names import PICTURE_SUFFIXES, list_files, read_lines, sample_id
from mmppc.datasets.tags import tag_names
from mmppc.doctor.classes import check_names, check_number, classes_of, no_classes
from mmppc.doctor.facts import Facts, MaskFacts, PictureFacts
from mmppc.doctor.finding import ERROR, OK, WARNING, Finding
from mmppc.doctor.layout import ALL, Layout, Part
from mmppc.doctor.mask_files import find_masks
from mmppc.doctor.orientation import Pair
from mmppc.doctor.splits import check_list, check_overlap, match_list
from mmppc.doctor.tag_table import TagTable, read_tag_table
from mmppc.doctor.unknown_tags import check_alike, check_unknown

BACKGROUND = 'background'


@dataclass
class Contents:
    """What was found for one part.

    Attributes:
        part: The part.
        files: Sample id -> paths below the picture folder, of all pictures there.
        pictures: Sample id -> path below the picture folder, of those that count.
        masks: Sample id -> path below the mask folder; None without a folder.
        inside: How many masks lie below the picture folder.
        classes: Names, background first; None if there are none.
        made: Whether they were made of the tags.
        table: Its tags; None without any that can be read.
    """

    part: Part
    files: dict[str, list[str]] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    masks: dict[str, str] | None = None
    inside: int = 0
    classes: tuple[str, ...] | None = None
    made: bool = False
    table: TagTable | None = None

    def picture_path(self, key: str) -> str:
        return str(self.part.pictures / self.pictures[key])

    def mask_path(self, key: str) -> str | None:
        """The mask of a picture; None without one."""
        if self.masks is None or key not in self.masks or self.part.masks is None:
            return None
        return str(self.part.masks / self.masks[key])

    @property
    def is_learnt(self) -> bool:
        """Whether a network is trained on it."""
        return bool({'train', ALL} & set(self.part.name.split(', ')))


def read_classes(layout: Layout, contents: list[Contents]) -> list[Finding]:
    """Fill in the classes; what is to be said about them."""
    findings: list[Finding] = []
    for content in contents:
        names, reason = classes_of(content.part)
        if names is not None:
            content.classes = names
            findings += [*check_names(names, made=False), *check_number(names, layout.num_classes)]
        elif not reason and layout.optional and content.part.tags is not None:
            try:
                found = sorted(tag_names(content.part.tags) - {BACKGROUND})
            except (ValueError, OSError):
                continue  # said when the tags are read
            if found:
                content.classes, content.made = (BACKGROUND, *found), True
                findings += check_names(content.classes, made=True)
            try:
                tag_names(content.part.tags, guess=False)
            except ValueError as error:
                what, _, remedy = str(error).rpartition('. ')
                findings.append(Finding('classes: words', ERROR, what, remedy))
        else:
            findings.append(no_classes(reason, optional=layout.optional))
    return distinct(findings)


def read_lists(contents: list[Contents]) -> list[Finding]:
    """Fill in pictures and masks; what is to be said about lists and folders."""
    findings: list[Finding] = []
    parts: dict[str, Mapping[str, str]] = {}
    for content in contents:
        part = content.part
        if not part.pictures.is_dir():
            continue  # said when it comes to the pictures
        try:
            content.files = list_files(part.pictures, PICTURE_SUFFIXES)
            content.masks = find_masks(part)
            _leave_out_masks(content)
            if part.list_file is None:
                content.pictures = {
                    sample_id(paths[0]): paths[0] for paths in content.files.values()
                }
                continue
            lines = read_lines(part.list_file)
        except (ValueError, OSError) as error:
            remedy = 'write one picture a line, with or without its suffix, as UTF-8'
            findings.append(Finding(f'list{part.of}', ERROR, str(error), remedy))
            continue
        match = match_list(lines, content.files)
        content.pictures = match.pictures
        parts[part.name] = match.pictures
        findings += check_list(part.name, lines, match, list(content.files))
    return findings + check_overlap(parts)


def _leave_out_masks(content: Contents) -> None:
    """Take masks below the picture folder for masks, where no list says what the pictures are."""
    part = content.part
    if part.list_file is not None or part.masks is None or not part.masks.is_dir():
        return
    masks, pictures = part.masks.resolve(), part.pictures.resolve()
    if pictures not in masks.parents:
        return
    prefix = f'{masks.relative_to(pictures).as_posix()}/'
    kept = {
        key: left
        for key, paths in content.files.items()
        if (left := [path for path in paths if not path.startswith(prefix)])
    }
    content.inside = sum(map(len, content.files.values())) - sum(map(len, kept.values()))
    content.files = kept


def read_tables(layout: Layout, contents: list[Contents]) -> list[Finding]:
    """Fill in the tags; what is to be said about the files."""
    findings: list[Finding] = []
    tables: dict[tuple, TagTable] = {}
    for content in contents:
        path, classes = content.part.tags, content.classes
        if path is None:
            if layout.optional:
                findings.append(
                    Finding(
                        'tags: file',
                        WARNING,
                        'no tags (tags.csv, tags.json or Annotations); only a training on masks does without',
                        'name them with --tags',
                    )
                )
            continue
        try:
            key = (path, classes)
            if key not in tables:
                tables[key] = read_tag_table(path, (classes or (BACKGROUND,))[1:])
        except (ValueError, OSError) as error:
            remedy = 'see README.md for what a CSV or JSON of tags looks like'
            findings.append(Finding('tags: file', ERROR, str(error), remedy))
            continue
        table = content.table = tables[key]
        number = sum(int(table.rows[row][: table.num_classes].sum()) for row in table.rows)
        mean = number / max(1, len(table.rows))
        findings.append(
            Finding('tags: file', OK, f'{len(table.rows)} rows in {path}, {mean:.1f} tags each')
        )
        if content.made:
            findings.append(check_alike(dict(zip(table.names, table.counts(table.rows).tolist()))))
        elif classes is not None:
            findings.append(check_unknown(table, ignored=content.part.ignore_unknown_tags))
    return distinct(findings)


def named_pictures(contents: Iterable[Contents], facts: Facts) -> dict[str, PictureFacts]:
    """What was read, by the paths below the picture folders."""
    return {
        path: facts.pictures[content.picture_path(key)]
        for content in contents
        for key, path in content.pictures.items()
    }


def masks_by_id(content: Contents, facts: Facts) -> dict[str, MaskFacts]:
    """Masks that were read, by the sample ids of their pictures."""
    return {
        key: facts.masks[path]
        for key in content.pictures
        if (path := content.mask_path(key)) is not None
    }


def pairs(contents: Iterable[Contents], facts: Facts) -> list[Pair]:
    """Pictures with their masks, each once."""
    pairs: dict[tuple[str, str], Pair] = {}
    for content in contents:
        for key in content.pictures:
            path = content.mask_path(key)
            if path is not None:
                picture = content.picture_path(key)
                pairs[picture, path] = (key, facts.pictures[picture], facts.masks[path])
    return list(pairs.values())


def distinct_classes(contents: Iterable[Contents]) -> list[Contents]:
    """One content for each set of classes."""
    return list({content.classes: content for content in contents if content.classes}.values())


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Findings without repetitions, as two parts may share a file."""
    return list(dict.fromkeys(findings))
