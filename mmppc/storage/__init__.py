"""Files of the pipeline: seeds and masks, written whole, read without pickle."""

from mmppc.storage.atomic import atomic_write
from mmppc.storage.masks import load_mask, save_mask
from mmppc.storage.pictures import read_picture
from mmppc.storage.seeds import Seed, load_seed, save_seed

__all__ = [
    'Seed',
    'atomic_write',
    'load_mask',
    'load_seed',
    'read_picture',
    'save_mask',
    'save_seed',
]
