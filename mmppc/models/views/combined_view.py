"""Several transforms in a row."""

from collections.abc import Iterable, Sequence

import torch
import torch.nn as nn
from mmseg.registry import MODELS

from .base_view import BaseView
from .view_warp import ViewWarp


@MODELS.register_module()
class CombinedView(BaseView):
    """Several views in a row, as one transform: pictures and maps are sampled once (Table 7).

    Pixels of a view's arguments are those of the input it gets: 16 px before a rescaling from 448 to 128 px are fewer
    after it.

    Args:
        views: Configs of views, the first applied first.

    Raises:
        ValueError: There is no view, or one is not a :class:`BaseView`.
    """

    def __init__(self, views: Sequence[dict]) -> None:
        super().__init__()
        if not views:
            raise ValueError('CombinedView needs at least one view, got none')
        built = [MODELS.build(view) for view in views]
        for view in built:
            if not isinstance(view, BaseView):
                raise ValueError(
                    f'CombinedView takes views that draw a ViewWarp, got {type(view).__name__}'
                )
        self.views: Iterable[BaseView] = nn.ModuleList(built)  # type: ignore[assignment]

    def draw(self, number: int, size: tuple[int, int], device: torch.device) -> ViewWarp:
        """One transform of each view a picture."""
        warp = ViewWarp(size, size)
        for view in self.views:
            warp = warp.then(view.draw(number, warp.size_to, device))
        return warp
