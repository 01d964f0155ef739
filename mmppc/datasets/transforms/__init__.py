"""Transforms of the pipelines, one a file; arrays are BGR as everywhere in OpenMMLab."""

from mmppc.datasets.transforms.load_confident_labels import LoadConfidentLabels
from mmppc.datasets.transforms.load_confident_maps import LoadConfidentMaps
from mmppc.datasets.transforms.load_index_mask import LoadIndexMask
from mmppc.datasets.transforms.load_picture import LoadPicture
from mmppc.datasets.transforms.load_saliency import LoadSaliency
from mmppc.datasets.transforms.load_seed import LoadSeed
from mmppc.datasets.transforms.pack_tagged_inputs import PackTaggedInputs
from mmppc.datasets.transforms.pil_color_jitter import PILColorJitter
from mmppc.datasets.transforms.pool_confident_maps import PoolConfidentMaps
from mmppc.datasets.transforms.random_crop_pad import RandomCropPad
from mmppc.datasets.transforms.random_hsv_shift import RandomHSVShift
from mmppc.datasets.transforms.random_resize_long import RandomResizeLong
from mmppc.datasets.transforms.random_scale import RandomScale
from mmppc.datasets.transforms.resize_by_scale import ResizeByScale
from mmppc.datasets.transforms.shrink_mask import ShrinkMask

__all__ = [
    'LoadConfidentLabels',
    'LoadConfidentMaps',
    'LoadIndexMask',
    'LoadPicture',
    'LoadSaliency',
    'LoadSeed',
    'PILColorJitter',
    'PackTaggedInputs',
    'PoolConfidentMaps',
    'RandomCropPad',
    'RandomHSVShift',
    'RandomResizeLong',
    'RandomScale',
    'ResizeByScale',
    'ShrinkMask',
]
