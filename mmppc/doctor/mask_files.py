"""Has every picture that needs one a mask, is it an index mask, and of the picture's size?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmppc.datasets.names import PICTURE_SUFFIXES, list_files
from mmppc.doctor.facts import MaskFacts, PictureFacts
from mmppc.doctor.finding import ERROR, OK, SKIPPED, WARNING, Finding, plural
from mmppc.doctor.layout import Part
from mmppc.doctor.orientation import Pair, is_lying

_LOSSLESS = ('PNG', 'BMP', 'TIFF', 'GIF', 'PPM')


def find_masks(part: Part) -> dict[str, str] | None:
    """Sample id -> mask below the part's folder; None without a folder that exists."""
    if part.masks is None or not part.masks.is_dir():
        return None
    return {
        key: paths[0] for key, paths in list_files(part.masks, (part.mask_suffix.lower(),)).items()
    }


def check_missing(part: Part, keys: Sequence[str], masks: Mapping[str, str] | None) -> Finding:
    """Pictures of a part without a mask.

    Args:
        part: The part.
        keys: Its sample ids.
        masks: Sample id -> mask, None without a folder.
    """
    check = f'masks{part.of}'
    if masks is None:
        if part.require_masks:
            return Finding(
                check,
                ERROR,
                f'{part.masks}: no such folder',
                'make them first (tools/make_masks.py, or a test of PSA or IRN), or name their folder: '
                '--cfg-options mask_dir=DIR',
            )
        where = 'no folder of masks' if part.masks is None else f'{part.masks}: no such folder'
        return Finding(check, SKIPPED, f'{where}; they are only needed to measure')
    missing = [key for key in keys if key not in masks]
    if not missing:
        return Finding(check, OK, f'all {len(keys)} pictures have one in {part.masks}')
    found = f'{len(missing)} of {len(keys)} pictures without a mask in {part.masks}'
    if part.require_masks:
        remedy = 'make the missing ones, or take these pictures out of the list'
        return Finding(check, ERROR, found, _naming(part, missing, masks) or remedy, tuple(missing))
    if len(missing) == len(keys) and not _naming(part, missing, masks):
        return Finding(check, SKIPPED, f'{found}; they are only needed to measure')
    return Finding(
        check,
        WARNING,
        f'{found}, so nothing is measured there',
        _naming(part, missing, masks) or 'nothing, if that is what you want',
        tuple(missing),
    )


def _naming(part: Part, missing: Sequence[str], masks: Mapping[str, str]) -> str:
    """A hint where masks have other names than their pictures; empty if they have not."""
    expected = f'expected e.g. {missing[0]}{part.mask_suffix}'
    wanted = set(missing)
    for key in masks:
        # photo_mask.png, photo_label.png, photo.jpg.png
        stem = next((key[:end] for end in range(len(key) - 1, 2, -1) if key[:end] in wanted), None)
        if stem is not None:
            return f'rename them: {expected}, found {masks[key]}'
    assert part.masks is not None
    others = list_files(part.masks, PICTURE_SUFFIXES)
    for key, paths in others.items():
        if key in wanted:
            return f'save them as {part.mask_suffix}: {expected}, found {paths[0]}'
    return ''


def check_mask_files(masks: Mapping[str, MaskFacts]) -> list[Finding]:
    """Masks that cannot be read, have colours instead of classes, or were stored with losses.

    Args:
        masks: Name -> what was read.
    """
    check = 'masks: files'
    if not masks:
        return []
    broken = [
        f'{name} ({facts.problem})'
        for name, facts in masks.items()
        if facts.problem and not facts.mode
    ]
    coloured = [
        f'{name} (mode {facts.mode})' for name, facts in masks.items() if _has_colours(facts)
    ]
    cut = [
        f'{name} ({facts.problem})'
        for name, facts in masks.items()
        if facts.problem and facts.mode and not _has_colours(facts)
    ]
    lossy = [
        f'{name} ({facts.kind})'
        for name, facts in masks.items()
        if not facts.problem and facts.kind not in _LOSSLESS
    ]
    findings = []
    if broken or cut:
        findings.append(
            Finding(
                check,
                ERROR,
                f'{len(broken) + len(cut)} of {len(masks)} cannot be read',
                'copy them again from where they come from, or remove them',
                (*broken, *cut),
            )
        )
    if coloured:
        findings.append(
            Finding(
                check,
                ERROR,
                f'{len(coloured)} of {len(masks)} with colours or 16 bits: expected an index mask of 8 bits, one '
                'channel whose values are classes',
                'convert colours to class numbers; a labelling tool calls this "palette PNG", "indexed" or "label ids"',
                tuple(coloured),
            )
        )
    if lossy:
        findings.append(
            Finding(
                check,
                WARNING,
                f'{len(lossy)} of {len(masks)} stored with losses, which changes class numbers along borders',
                'export them as PNG',
                tuple(lossy),
            )
        )
    return findings or [Finding(check, OK, f'all {len(masks)} are index masks')]


def _has_colours(facts: MaskFacts) -> bool:
    return bool(facts.problem) and facts.mode not in ('', 'P', 'L', '1')


def check_mask_sizes(pairs: Sequence[Pair]) -> list[Finding]:
    """Masks of another size than their pictures; those that EXIF explains have their own finding.

    Args:
        pairs: Pictures with their masks; unreadable ones are passed over.
    """
    check = 'masks: sizes'
    read = [(name, picture, mask) for name, picture, mask in pairs if _both(picture, mask)]
    if not read:
        return []
    wrong = [
        f'{name} (mask {_text(mask.size)}, picture {_text(picture.size)})'
        for name, picture, mask in read
        if picture.size != mask.size and not is_lying(picture, mask)
    ]
    if wrong:
        return [
            Finding(
                check,
                ERROR,
                f'{len(wrong)} of {len(read)} of another size than the picture',
                'scale them without interpolation (nearest neighbour), or use the pictures they were drawn on',
                tuple(wrong),
            )
        ]
    if any(is_lying(picture, mask) for _, picture, mask in read):
        return []
    return [Finding(check, OK, f'all {len(read)} have that of their picture')]


def _both(picture: PictureFacts, mask: MaskFacts) -> bool:
    return not picture.problem and not mask.problem


def _text(size: tuple[int, int]) -> str:
    return f'{size[1]}x{size[0]}'


def check_mask_place(part: Part, inside: int) -> list[Finding]:
    """Masks below the picture folder, which may be taken for pictures.

    Args:
        part: The part.
        inside: How many masks lie there.
    """
    if not inside:
        return []
    return [
        Finding(
            'masks: place',
            WARNING,
            f'{plural(inside, "mask")} below the picture folder: left out here and in mmppc run, but taken for '
            'pictures by a config without a list',
            'move them beside the pictures, or name the picture folder with --pictures',
            (str(Path(part.masks or '')),),
        )
    ]
