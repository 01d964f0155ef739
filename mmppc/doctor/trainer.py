"""Does a training take the data? The last word is its own."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from mmppc.datasets import TaggedImageDataset
from mmppc.doctor.finding import ERROR, OK, Finding, plural
from mmppc.doctor.layout import Part


def check_training(
    part: Part, classes: Sequence[str], pictures: Sequence[str] | None = None
) -> Finding:
    """Build the dataset of a part, as a training does first of all.

    Args:
        part: The part.
        classes: 1 + C names, background first.
        pictures: Paths below the picture folder, in place of a list; None for what the part says.
    """
    check = f'data{part.of} as a training reads it'
    try:
        with tempfile.TemporaryDirectory() as folder, _silence():
            list_file = '' if part.list_file is None else str(part.list_file)
            if pictures is not None:
                list_file = str(Path(folder, 'all.txt'))
                Path(list_file).write_text('\n'.join(pictures), encoding='utf-8')
            prefix = {'img_path': str(part.pictures)}
            if part.masks is not None:
                prefix['seg_map_path'] = str(part.masks)
            dataset = TaggedImageDataset(
                data_prefix=prefix,
                ann_file=list_file,
                tag_file=None if part.tags is None else str(part.tags),
                metainfo=dict(classes=tuple(classes)),
                ignore_unknown_tags=part.ignore_unknown_tags,
                require_masks=part.require_masks,
                seg_map_suffix=part.mask_suffix,
                serialize_data=False,
            )
            number = len(dataset)
    except (ValueError, OSError) as error:
        return Finding(check, ERROR, f'refused: {error}', 'mend what is an error above')
    return Finding(check, OK, plural(number, 'picture'))


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the dataset's own warnings back, which are findings here."""
    init_default_scope('mmseg')
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
