"""Are the values of the masks classes, and how much of them is void?"""

from __future__ import annotations

from collections.abc import Mapping

from mmppc.doctor.facts import MaskFacts
from mmppc.doctor.finding import ERROR, OK, WARNING, Finding
from mmppc.storage.masks import VOID

MUCH_VOID = 0.5
"""Share of a mask's pixels."""


def check_values(masks: Mapping[str, MaskFacts], num_classes: int) -> list[Finding]:
    """Values that are no class, and masks of 0 and 255 alone.

    Args:
        masks: Name -> what was read; unreadable ones are passed over.
        num_classes: 1 + C.
    """
    check = 'masks: values'
    read = {name: facts for name, facts in masks.items() if not facts.problem}
    if not read:
        return []
    wrong = {
        name: [value for value in facts.pixels if num_classes <= value < VOID]
        for name, facts in read.items()
    }
    beyond = tuple(f'{name} ({_listed(values)})' for name, values in wrong.items() if values)
    if beyond:
        return [
            Finding(
                check,
                ERROR,
                f'{len(beyond)} of {len(read)} with values beyond the classes 0 .. {num_classes - 1} and {VOID} (void)',
                'add these classes in the order of the numbers, or renumber the masks',
                beyond,
            )
        ]
    values = {value for facts in read.values() for value in facts.pixels}
    if values == {0, VOID}:
        return [
            Finding(
                check,
                WARNING,
                f'all {len(read)} hold nothing but 0 and {VOID}: {VOID} means void here, not foreground',
                f'replace {VOID} by the number of the class, 1 for the first one',
            )
        ]
    return [Finding(check, OK, f'all {len(read)} hold classes 0 .. {num_classes - 1}')]


def check_void(masks: Mapping[str, MaskFacts]) -> list[Finding]:
    """How much is not measured because it is void.

    Args:
        masks: Name -> what was read; unreadable ones are passed over.
    """
    check = 'masks: void'
    shares = {
        name: facts.pixels.get(VOID, 0) / sum(facts.pixels.values())
        for name, facts in masks.items()
        if not facts.problem and facts.pixels
    }
    if not shares:
        return []
    mean = sum(shares.values()) / len(shares)
    much = [name for name, share in shares.items() if share > MUCH_VOID]
    if much:
        return [
            Finding(
                check,
                WARNING,
                f'{len(much)} of {len(shares)} void on more than {MUCH_VOID:.0%} of their pixels; on average '
                f'{mean:.1%}',
                'look at a few: what is void is not measured',
                tuple(
                    f'{name} ({shares[name]:.0%})'
                    for name in sorted(much, key=shares.__getitem__, reverse=True)
                ),
            )
        ]
    return [Finding(check, OK, f'{mean:.1%} of the pixels on average')]


def _listed(values: list[int]) -> str:
    return ', '.join(map(str, values[:5])) + (', ...' if len(values) > 5 else '')
