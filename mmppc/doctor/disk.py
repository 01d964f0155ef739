"""Is there room on the disk for seeds and masks?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmppc.doctor.facts import PictureFacts
from mmppc.doctor.finding import ERROR, OK, SKIPPED, WARNING, Finding
from mmppc.utils.disk import nearest_folder, size_text

CHECK = 'disk space'
SEED_BYTES = 1.5
"""A pixel and tag. 2 bytes uncompressed; seeds of VOC pictures took 1.4, 95 % of them at most 1.51."""
MASK_BYTES = 0.04
"""A pixel. Masks of the CRF took 0.023, 95 % of them at most 0.038."""
USUAL_TAGS = 2
"""A picture, where there are no tags to count."""
_MARGIN = 2


def needed_bytes(sizes: Sequence[tuple[int, int]], tags: Sequence[int]) -> tuple[int, int]:
    """Bytes that the seeds and the masks of pictures take.

    Args:
        sizes: (H, W) of each picture.
        tags: How many tags it has.
    """
    areas = [height * width for height, width in sizes]
    seeds = sum(area * count for area, count in zip(areas, tags)) * SEED_BYTES
    return round(seeds), round(sum(areas) * MASK_BYTES)


def check_space(
    pictures: Mapping[str, PictureFacts], num_tags: Mapping[str, int] | None, work_dir: Path
) -> Finding:
    """Compare what is needed with what is free at the work folder.

    Args:
        pictures: Name -> what was read; unreadable ones are passed over.
        num_tags: Name -> how many tags; None without tags.
        work_dir: The folder, or one that is going to be made.
    """
    read = {name: facts for name, facts in pictures.items() if not facts.problem}
    if not read:
        return Finding(CHECK, SKIPPED, 'no picture could be read')
    counts = [USUAL_TAGS if num_tags is None else num_tags.get(name, 0) for name in read]
    seeds, masks = needed_bytes([facts.size for facts in read.values()], counts)
    place = nearest_folder(work_dir)
    free = shutil.disk_usage(place).free
    if sum(counts):
        tags = f', {sum(counts) / len(read):.1f} tags each' + (
            ' (assumed)' if num_tags is None else ''
        )
        needs = f'seeds take about {size_text(seeds)}, masks {size_text(masks)}'
        how = (
            f'{len(read)} pictures{tags}; {SEED_BYTES} bytes a pixel and tag, {MASK_BYTES} a pixel'
        )
    else:
        needs = f'masks take about {size_text(masks)}'
        how = f'{len(read)} pictures; {MASK_BYTES} bytes a pixel'
    found = (
        f'{needs}; {size_text(free)} free at {work_dir} ({how}; checkpoints and logs come on top)'
    )
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            CHECK, ERROR, f'{place} cannot be written', 'name another folder with --work-dir'
        )
    if seeds + masks > free:
        return Finding(
            CHECK,
            ERROR,
            found,
            'name a folder on another disk with --work-dir, or make the pictures smaller',
        )
    if _MARGIN * (seeds + masks) > free:
        return Finding(CHECK, WARNING, found, 'that is tight: a second run does not fit')
    return Finding(CHECK, OK, found)
