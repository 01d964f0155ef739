from .affinity_segmentor import AffinitySegmentor
from .cam_segmentor import CAMSegmentor

__all__ = ['AffinitySegmentor', 'CAMSegmentor']
