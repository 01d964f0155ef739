"""Stages between the networks."""

from mmppc.pipeline.masks import PictureRecord, make_pseudo_masks, picture_records

__all__ = ['PictureRecord', 'make_pseudo_masks', 'picture_records']
