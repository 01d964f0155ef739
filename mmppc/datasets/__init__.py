"""Where pictures, tags and masks come from."""

from mmppc.datasets.coco import COCO_CLASSES
from mmppc.datasets.picture_backend import PictureBackend
from mmppc.datasets.seeded_sampler import SeededSampler
from mmppc.datasets.tagged_image_dataset import TaggedImageDataset
from mmppc.datasets.tags import load_tags
from mmppc.datasets.toy import draw_toy_set
from mmppc.datasets.transforms import (
    LoadIndexMask,
    LoadPicture,
    LoadSaliency,
    PackTaggedInputs,
    PILColorJitter,
    RandomCropPad,
    RandomHSVShift,
    RandomResizeLong,
    RandomScale,
    ResizeByScale,
)
from mmppc.datasets.voc import VOC_CLASSES, voc_palette

__all__ = [
    'COCO_CLASSES',
    'VOC_CLASSES',
    'LoadIndexMask',
    'LoadPicture',
    'LoadSaliency',
    'PILColorJitter',
    'PackTaggedInputs',
    'PictureBackend',
    'RandomCropPad',
    'RandomHSVShift',
    'RandomResizeLong',
    'RandomScale',
    'ResizeByScale',
    'SeededSampler',
    'TaggedImageDataset',
    'draw_toy_set',
    'load_tags',
    'voc_palette',
]
