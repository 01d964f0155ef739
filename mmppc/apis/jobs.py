"""What is asked of an inferencer, and a picture on its way through it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mmseg.structures import SegDataSample

from mmppc.apis.output_folder import Stored
from mmppc.apis.picture_stream import Picture

Result = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """Settings of one call; see :meth:`CAMInferencer.iterate` and :meth:`SegInferencer.iterate`."""

    batch_size: int = 1
    what: tuple[str, ...] = ()
    crf: str | None = None
    crf_workers: int = 0
    skip_broken: bool = False
    return_datasamples: bool = False
    return_vis: bool = False
    show: bool = False
    wait_time: float = 0

    @property
    def must_run(self) -> bool:
        """Whether more is wanted of a picture than its files hold."""
        return self.return_datasamples or self.return_vis or self.show


@dataclass
class Job:
    """A picture on its way.

    Attributes:
        picture: What it is.
        tags: Given tags (C,) multi-hot; None: to be predicted.
        record: What its files are made from.
        pixels: (H, W, 3) uint8 BGR; None if its files are finished.
        stored: What these hold.
        sample: The network's prediction.
        probabilities: (1 + C, H, W) for the CRF of a segmentation network.
        result: What is returned of it.
    """

    picture: Picture
    tags: np.ndarray | None
    record: dict[str, Any]
    pixels: np.ndarray | None = None
    stored: Stored | None = None
    sample: SegDataSample | None = None
    probabilities: np.ndarray | None = None
    result: Result = field(default_factory=dict)

    @property
    def rgb(self) -> np.ndarray:
        """The picture, (H, W, 3) uint8 RGB."""
        assert self.pixels is not None
        return np.ascontiguousarray(self.pixels[..., ::-1])
