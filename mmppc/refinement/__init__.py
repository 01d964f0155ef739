"""What turns seeds into files of another kind, picture by picture: pseudo masks, confident labels."""

from mmppc.refinement.confident_labels import make_confident_labels
from mmppc.refinement.masks import make_pseudo_masks
from mmppc.refinement.records import PictureRecord, picture_records

__all__ = ['PictureRecord', 'make_confident_labels', 'make_pseudo_masks', 'picture_records']
