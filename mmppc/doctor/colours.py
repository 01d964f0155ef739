"""Are the pictures colour photographs, or is something lost when they become RGB?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mmppc.doctor.facts import PictureFacts
from mmppc.doctor.finding import OK, SKIPPED, WARNING, Finding, plural

CHECK = 'pictures: colours'
_GREY = ('1', 'L', 'LA', 'La')


def check_colours(pictures: Mapping[str, PictureFacts]) -> list[Finding]:
    """A warning for each kind of picture that is read, but not as it was meant.

    Args:
        pictures: Name -> what was read; unreadable ones are passed over.
    """
    read = {name: facts for name, facts in pictures.items() if not facts.problem}
    if not read:
        return [Finding(CHECK, SKIPPED, 'no picture could be read')]
    findings = []
    for matches, found, remedy in _KINDS:
        names = [name for name, facts in read.items() if matches(facts)]
        if names:
            findings.append(
                Finding(
                    CHECK, WARNING, f'{plural(len(names), "picture")} {found}', remedy, tuple(names)
                )
            )
    modes: dict[str, int] = {}
    for facts in read.values():
        modes[facts.mode] = modes.get(facts.mode, 0) + 1
    listed = ', '.join(f'{count} {mode}' for mode, count in sorted(modes.items()))
    return findings or [Finding(CHECK, OK, listed)]


def _is_sixteen_bit(facts: PictureFacts) -> bool:
    return facts.mode.startswith('I')


def _is_grey(facts: PictureFacts) -> bool:
    return facts.mode in _GREY or _is_sixteen_bit(facts)


_KINDS: tuple[tuple[Callable[[PictureFacts], bool], str, str], ...] = (
    (
        lambda facts: facts.mode == 'CMYK',
        'in CMYK (for printing): made RGB without the colour profile, so colours are off',
        'convert them to RGB with their profile, e.g. magick IN.jpg -profile sRGB.icc OUT.jpg',
    ),
    (
        _is_grey,
        'in grey: a network that knows colours sees something else',
        'nothing if all pictures to come are grey; else leave them out',
    ),
    (
        lambda facts: facts.transparent,
        'with transparent pixels, which show whatever colour lies below',
        'lay them on one colour, e.g. magick IN.png -background white -flatten OUT.png',
    ),
    (
        # Phones put a preview or a depth map behind the picture (MPO).
        lambda facts: facts.frames > 1 and facts.kind != 'MPO',
        'with several frames or pages, of which only the first is read',
        'save the frames you want as pictures of their own',
    ),
)
