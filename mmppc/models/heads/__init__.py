from .affinity_head import AffinityHead
from .boundary_head import BoundaryHead
from .cam_head import CAMHead
from .largefov_head import LargeFOVHead
from .pixel_correlation import PixelCorrelation

__all__ = ['AffinityHead', 'BoundaryHead', 'CAMHead', 'LargeFOVHead', 'PixelCorrelation']
