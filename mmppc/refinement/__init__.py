"""What turns seeds into files of another kind, picture by picture."""

from mmppc.refinement.masks import PictureRecord, make_pseudo_masks, picture_records

__all__ = ['PictureRecord', 'make_pseudo_masks', 'picture_records']
