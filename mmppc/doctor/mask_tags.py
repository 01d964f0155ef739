"""Do masks and tags name the same classes?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmppc.doctor.facts import MaskFacts
from mmppc.doctor.finding import OK, WARNING, Finding

_MANY = 0.5


def check_agreement(
    masks: Mapping[str, MaskFacts], tags: Mapping[str, Sequence[str]], classes: Sequence[str]
) -> list[Finding]:
    """Classes of a mask that its picture is not tagged with, and the reverse.

    Args:
        masks: Sample id -> what was read; unreadable ones are passed over.
        tags: Sample id -> tags; pictures without a row are passed over.
        classes: 1 + C names, background first.
    """
    drawn = {
        key: {classes[value] for value in facts.pixels if 0 < value < len(classes)}
        for key, facts in masks.items()
        if not facts.problem and key in tags
    }
    if not drawn:
        return []
    untagged = {key: names - set(tags[key]) for key, names in drawn.items()}
    undrawn = {key: set(tags[key]) - names for key, names in drawn.items()}
    findings = []
    missing = _listed(untagged, classes)
    if missing:
        findings.append(
            Finding(
                'masks: classes without a tag',
                WARNING,
                f'{len(missing)} of {len(drawn)} masks with classes that the picture is not tagged with',
                _remedy(
                    missing,
                    drawn,
                    'add the tags; without them the network learns that the class is not there',
                ),
                missing,
            )
        )
    else:
        findings.append(Finding('masks: classes without a tag', OK, f'none in {len(drawn)} masks'))
    unseen = _listed(undrawn, classes)
    if unseen:
        findings.append(
            Finding(
                'masks: tags without a class',
                WARNING,
                f'{len(unseen)} of {len(drawn)} pictures with tags of classes that the mask does not show',
                _remedy(
                    unseen, drawn, 'look at a few: is the tag wrong, or is the mask not finished?'
                ),
                unseen,
            )
        )
    else:
        findings.append(Finding('masks: tags without a class', OK, f'none in {len(drawn)} masks'))
    return findings


def check_order(made: bool, num_masks: int, classes: Sequence[str]) -> list[Finding]:
    """Masks whose numbers nothing explains, as the classes were made of the tags.

    Args:
        made: Whether they were.
        num_masks: How many masks there are.
        classes: 1 + C names, background first.
    """
    if not made or not num_masks:
        return []
    numbers = ', '.join(f'{number} {name}' for number, name in enumerate(classes) if number)
    return [
        Finding(
            'masks: meaning',
            WARNING,
            f'no file says which value is which class; mmppc run takes the tags in alphabetical order: {numbers}',
            'write classes.txt, one name a line in the order of the masks, the background first',
        )
    ]


def _listed(names: Mapping[str, set[str]], classes: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f'{key}: {", ".join(sorted(found, key=list(classes).index))}'
        for key, found in names.items()
        if found
    )


def _remedy(wrong: Sequence[str], all_masks: Mapping[str, set[str]], usual: str) -> str:
    if len(wrong) > _MANY * len(all_masks) and len(all_masks) > 1:
        return 'so many disagree that the classes may stand in another order than the masks were drawn with'
    return usual
