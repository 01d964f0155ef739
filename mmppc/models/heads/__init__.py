from .affinity_head import AffinityHead
from .boundary_head import BoundaryHead
from .cam_head import CAMHead
from .concat_aspp_head import ConcatASPPHead
from .largefov_head import LargeFOVHead
from .pixel_correlation import PixelCorrelation
from .prototype_contrast_head import PrototypeContrastHead
from .sum_aspp_head import SumASPPHead

__all__ = [
    'AffinityHead',
    'BoundaryHead',
    'CAMHead',
    'ConcatASPPHead',
    'LargeFOVHead',
    'PixelCorrelation',
    'PrototypeContrastHead',
    'SumASPPHead',
]
