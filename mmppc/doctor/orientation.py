"""Do masks follow the EXIF orientation of their pictures?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmppc.doctor.facts import SIDEWAYS, MaskFacts, PictureFacts
from mmppc.doctor.finding import ERROR, OK, SKIPPED, WARNING, Finding, plural

CHECK = 'pictures: orientation'
Pair = tuple[str, PictureFacts, MaskFacts]
"""A name, its picture and its mask."""


def check_orientation(pictures: Mapping[str, PictureFacts], pairs: Sequence[Pair]) -> list[Finding]:
    """Pictures that a training turns upright, and masks that were drawn on the picture before that.

    Args:
        pictures: Name -> what was read; unreadable ones are passed over.
        pairs: Pictures with their masks; unreadable ones are passed over.
    """
    read = {name: facts for name, facts in pictures.items() if not facts.problem}
    if not read:
        return [Finding(CHECK, SKIPPED, 'no picture could be read')]
    turned = [name for name, facts in read.items() if facts.orientation not in (0, 1)]
    lying = [name for name, picture, mask in pairs if is_lying(picture, mask)]
    # Turned by half, mirrored, or square: the size does not tell which of both the mask follows.
    unknown = [
        name
        for name, picture, mask in pairs
        if not picture.problem
        and not mask.problem
        and picture.orientation not in (0, 1)
        and picture.size == mask.size
        and (picture.orientation not in SIDEWAYS or picture.size[0] == picture.size[1])
    ]
    findings = []
    if lying:
        findings.append(
            Finding(
                CHECK,
                ERROR,
                f'{plural(len(lying), "mask")} lying on the side: drawn without the EXIF orientation that turns the '
                'picture upright',
                'turn those masks as their pictures are turned, or remove the orientation from the pictures: '
                'exiftool -Orientation= PICTURE',
                tuple(lying),
            )
        )
    if unknown:
        findings.append(
            Finding(
                CHECK,
                WARNING,
                f'{plural(len(unknown), "picture")} with an EXIF orientation and a mask whose size fits either way',
                'look at a few with their masks; if they do not match, exiftool -Orientation= PICTURE',
                tuple(unknown),
            )
        )
    if not findings:
        text = f'{len(turned)} turned upright by EXIF orientation' if turned else 'all as stored'
        return [Finding(CHECK, OK, text)]
    return findings


def is_lying(picture: PictureFacts, mask: MaskFacts) -> bool:
    """Whether a mask has the size of its picture before EXIF turned it."""
    return (
        not picture.problem
        and not mask.problem
        and picture.orientation in SIDEWAYS
        and mask.size != picture.size
        and mask.size == picture.size[::-1]
    )
