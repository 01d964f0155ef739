"""Are the classes named once each, the background first, and as many as the network has channels?"""

from __future__ import annotations

from collections.abc import Sequence

from mmppc.datasets.names import check_classes, read_classes
from mmppc.doctor.finding import ERROR, OK, SKIPPED, WARNING, Finding
from mmppc.doctor.layout import Part
from mmppc.storage.masks import VOID

CHECK = 'classes'
BACKGROUNDS = (
    'background',
    'bg',
    '_background_',
    '__background__',
    'hintergrund',
    'arrière-plan',
    'fondo',
)
_SHOWN = 8


def classes_of(part: Part) -> tuple[tuple[str, ...] | None, str]:
    """The classes that a part names itself, background first, and the reason why it cannot be used.

    Returns:
        Names, None if there are none; why, empty if they are fine.
    """
    try:
        if part.classes_file is not None:
            names = read_classes(part.classes_file)
            given = None if part.classes is None else check_classes(part.classes, 'metainfo')
            if given is not None and given != names:
                return None, f'metainfo has {list(given)}, {part.classes_file} has {list(names)}'
            return names, ''
        if part.classes is not None:
            return check_classes(part.classes, 'metainfo: classes'), ''
    except (ValueError, OSError) as error:
        return None, str(error)
    return None, ''


def check_names(names: Sequence[str], *, made: bool) -> list[Finding]:
    """Whether the background comes first.

    Args:
        names: Of the classes.
        made: Whether they were made of the tags, since nothing names them.
    """
    shown = ', '.join(names[:_SHOWN]) + (', ...' if len(names) > _SHOWN else '')
    if made:
        return [
            Finding(
                CHECK,
                OK,
                f'{len(names)} with the background, made of the tags, as mmppc run does: {shown}',
            )
        ]
    places = [place for place, name in enumerate(names) if name.lower() in BACKGROUNDS]
    if places and places[0] != 0:
        return [
            Finding(
                CHECK,
                ERROR,
                f'{names[places[0]]!r} is number {places[0]}, but the first name, {names[0]!r}, is taken for the '
                'background',
                'make the background the first line; masks hold these numbers',
            )
        ]
    if not places:
        return [
            Finding(
                CHECK,
                WARNING,
                f'the first of {shown} is taken for the background, and is called {names[0]!r}',
                'if that is a class, insert the line "background" before it',
            )
        ]
    if len(names) > VOID:
        return [
            Finding(CHECK, ERROR, f'{len(names)}, but masks have room for {VOID} ({VOID} means void)',
                    'join classes')
        ]  # fmt: skip
    return [Finding(CHECK, OK, f'{len(names)} with the background: {shown}')]


def check_number(names: Sequence[str], num_classes: int | None) -> list[Finding]:
    """Whether the network has a channel for every class; no finding without a network."""
    check = 'classes of the network'
    if num_classes is None:
        return []
    if len(names) != num_classes:
        return [
            Finding(
                check,
                ERROR,
                f'the data have {len(names)}, the network {num_classes} (with the background)',
                f'--cfg-options model.decode_head.num_classes={len(names)}',
            )
        ]
    return [Finding(check, OK, f'{num_classes}, as the data have')]


def no_classes(reason: str, *, optional: bool) -> Finding:
    """Where there are no classes to go on with."""
    if reason:
        return Finding(CHECK, ERROR, reason, 'one name a line, UTF-8, the background first')
    status = SKIPPED if optional else ERROR
    return Finding(
        CHECK,
        status,
        'nothing names them',
        'write classes.txt, one name a line, the background first',
    )
