"""Second views of a batch: one spatial transform for pictures, features and maps (A(.) of Sec. 3.4)."""

from .base_view import BaseView
from .combined_view import CombinedView
from .flip_view import FlipView
from .rescale_view import RescaleView
from .resize import resize_maps
from .rotate_view import RotateView
from .translate_view import TranslateView
from .view_warp import ViewWarp

__all__ = [
    'BaseView',
    'CombinedView',
    'FlipView',
    'RescaleView',
    'RotateView',
    'TranslateView',
    'ViewWarp',
    'resize_maps',
]
