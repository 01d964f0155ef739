from .cam_head import CAMHead
from .pixel_correlation import PixelCorrelation

__all__ = ['CAMHead', 'PixelCorrelation']
