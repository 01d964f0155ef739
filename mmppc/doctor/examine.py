"""All questions about a data set, in the order in which one thing rests on another."""

from __future__ import annotations

from pathlib import Path

from mmppc.datasets.names import sample_id
from mmppc.doctor.colours import check_colours
from mmppc.doctor.contents import (
    Contents,
    distinct,
    distinct_classes,
    masks_by_id,
    named_pictures,
    pairs,
    read_classes,
    read_lists,
    read_tables,
)
from mmppc.doctor.disk import check_space
from mmppc.doctor.duplicates import check_duplicates
from mmppc.doctor.facts import Facts, MaskFacts, read_facts
from mmppc.doctor.finding import ERROR, OK, Finding
from mmppc.doctor.layout import Layout
from mmppc.doctor.mask_files import (
    check_mask_files,
    check_mask_place,
    check_mask_sizes,
    check_missing,
)
from mmppc.doctor.mask_tags import check_agreement, check_order
from mmppc.doctor.mask_values import check_values, check_void
from mmppc.doctor.named_files import check_named_files, check_others, check_root
from mmppc.doctor.orientation import check_orientation
from mmppc.doctor.other_files import check_other_files
from mmppc.doctor.picture_names import check_picture_names
from mmppc.doctor.picture_sizes import check_sizes
from mmppc.doctor.readable import check_readable
from mmppc.doctor.tag_counts import check_counts, check_untagged
from mmppc.doctor.tag_rows import check_rows
from mmppc.doctor.trainer import check_training


def examine(
    layout: Layout,
    work_dir: Path,
    *,
    workers: int | None = None,
    progress: bool = False,
) -> list[Finding]:
    """Ask every question about a data set.

    Args:
        layout: Where its files are.
        work_dir: Where a training is going to write.
        workers: Processes that decode; 0 for none, None for as many as are worth starting.
        progress: Show a bar on standard error while decoding.

    Returns:
        Findings in the order: classes, lists, pictures, tags, masks, the whole.
    """
    findings = check_root(layout)
    if findings:
        return [*findings, *check_named_files(layout.named_files), *check_others(layout.others)]
    contents = [Contents(part) for part in layout.parts]
    findings += read_classes(layout, contents)
    findings += read_lists(contents)
    facts = _decode(contents, workers, progress)
    table_findings = read_tables(layout, contents)
    findings += _about_pictures(contents, facts)
    findings += table_findings + _about_tags(contents)
    findings += _about_masks(contents, facts)
    findings += [*check_named_files(layout.named_files), *check_others(layout.others)]
    findings += _about_all(layout, contents, facts, work_dir)
    return findings


def _decode(contents: list[Contents], workers: int | None, progress: bool) -> Facts:
    pictures = {content.picture_path(key) for content in contents for key in content.pictures}
    masks = {
        path
        for content in contents
        for key in content.pictures
        if (path := content.mask_path(key)) is not None
    }
    return read_facts(sorted(pictures), sorted(masks), workers=workers, progress=progress)


def _about_pictures(contents: list[Contents], facts: Facts) -> list[Finding]:
    named = named_pictures(contents, facts)
    findings: list[Finding] = []
    for content in contents:
        if content.files or content.pictures:
            continue
        where = content.part.pictures
        reason = 'no picture in this folder' if where.is_dir() else 'no such folder'
        findings.append(
            Finding('pictures', ERROR, f'{where}: {reason}', 'name the folder with --pictures')
        )
    findings = distinct(findings)
    if not named:
        return findings
    folders = {content.part.pictures: content for content in contents if content.files}
    for folder, content in folders.items():
        same = [one for one in contents if one.part.pictures == folder]
        used = {key: path for one in same for key, path in one.pictures.items()}
        unused = len(content.files) - len(used)
        idle = f'; {unused} more in no list' if unused else ''
        findings.append(Finding('pictures', OK, f'{len(used)} in {folder}{idle}'))
        findings += check_picture_names(
            content.files,
            used,
            listed=all(one.part.list_file is not None for one in same),
            named_in_text=any(one.part.tags or one.part.list_file for one in same),
        )
        findings += check_other_files(folder)
    findings.append(check_readable(named))
    findings += [*check_sizes(named), *check_colours(named)]
    findings += check_orientation(named, pairs(contents, facts))
    parts = {
        content.part.name: [content.pictures[key] for key in content.pictures]
        for content in contents
    }
    tags = {
        path: content.table.tags_of(key)
        for content in contents
        if content.table is not None
        for key, path in content.pictures.items()
        if key in content.table.rows
    }
    return findings + check_duplicates(named, parts, tags)


def _about_tags(contents: list[Contents]) -> list[Finding]:
    findings: list[Finding] = []
    tables = {id(content.table): content for content in contents if content.table is not None}
    for content in tables.values():
        assert content.table is not None
        same = [one for one in contents if one.table is content.table]
        parts = {one.part.name: list(one.pictures) for one in same}
        folder = {sample_id(path) for one in same for paths in one.files.values() for path in paths}
        listed = any(one.part.list_file is not None for one in same)
        findings += check_rows(content.table, parts, folder, listed=listed)
        for one in same:
            if one.classes is None or not one.pictures:
                continue
            keys = list(one.pictures)
            findings.append(
                check_untagged(
                    one.part.of, content.table, keys, ignored=one.part.ignore_unknown_tags
                )
            )
            findings += check_counts(one.part.of, content.table, keys, learnt=one.is_learnt)
    return findings


def _about_masks(contents: list[Contents], facts: Facts) -> list[Finding]:
    findings: list[Finding] = []
    for content in contents:
        if content.pictures:
            findings.append(check_missing(content.part, list(content.pictures), content.masks))
            findings += check_mask_place(content.part, content.inside)
    by_name: dict[str, MaskFacts] = {}
    for content in contents:
        by_name.update(
            {
                f'{key}{content.part.mask_suffix}': mask
                for key, mask in masks_by_id(content, facts).items()
            }
        )
    findings += check_mask_files(by_name)
    findings += check_mask_sizes(pairs(contents, facts))
    found: list[Finding] = []
    for content in distinct_classes(contents):
        same = [one for one in contents if one.classes == content.classes]
        masks: dict[str, MaskFacts] = {}
        tags: dict[str, tuple[str, ...]] = {}
        for one in same:
            masks.update(masks_by_id(one, facts))
            if one.table is not None:
                keys = [key for key in one.pictures if key in one.table.rows]
                tags.update({key: one.table.tags_of(key) for key in keys})
        assert content.classes is not None
        found += check_values(masks, len(content.classes))
        found += check_order(content.made, len(masks), content.classes)
        found += check_agreement(masks, tags, content.classes)
    return findings + found + check_void(by_name)


def _about_all(
    layout: Layout, contents: list[Contents], facts: Facts, work_dir: Path
) -> list[Finding]:
    findings: list[Finding] = []
    for content in contents:
        if content.classes is not None and content.pictures:
            left_out = list(content.pictures.values()) if content.inside else None
            findings.append(check_training(content.part, content.classes, left_out))
    named = named_pictures(contents, facts)
    tags = {
        path: len(content.table.tags_of(key))
        for content in contents
        if content.table is not None
        for key, path in content.pictures.items()
    }
    if not layout.optional and not tags:
        tags = dict.fromkeys(named, 0)  # a config without tags makes no seeds
    return [*findings, check_space(named, tags or None, work_dir)]
