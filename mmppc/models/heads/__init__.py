from .cam_head import CAMHead
from .largefov_head import LargeFOVHead
from .pixel_correlation import PixelCorrelation

__all__ = ['CAMHead', 'LargeFOVHead', 'PixelCorrelation']
