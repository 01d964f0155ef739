"""Pictures that jobs on folders work on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PictureRecord:
    """A picture for which a file is made from its seed.

    Attributes:
        sample_id: Names its seed and its file.
        img_path: The picture itself; only read for refinements that look at it.
        truth_path: Its true mask, if there is one, to measure by.
    """

    sample_id: str
    img_path: str
    truth_path: str | None = None


def picture_records(dataset: Any) -> list[PictureRecord]:
    """Records of all pictures of a data set that gives ``sample_id``, as ``TaggedImageDataset``.

    Raises:
        ValueError: If a picture has no ``sample_id``.
    """
    records = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if not info.get('sample_id'):
            raise ValueError(
                f'{info.get("img_path")}: no sample_id, expected a dataset that gives one, as '
                'TaggedImageDataset'
            )
        truth = info.get('seg_map_path')
        truth = truth if truth and Path(truth).is_file() else None
        records.append(PictureRecord(info['sample_id'], info['img_path'], truth))
    return records
