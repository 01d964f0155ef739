"""Files of the pipeline: seeds, confident labels and masks, written whole, read without pickle."""

from mmppc.storage.atomic import atomic_write
from mmppc.storage.confident_maps import ConfidentMaps, load_confident_maps, save_confident_maps
from mmppc.storage.masks import load_mask, save_mask
from mmppc.storage.pictures import read_picture
from mmppc.storage.seeds import Seed, load_seed, save_seed

__all__ = [
    'ConfidentMaps',
    'Seed',
    'atomic_write',
    'load_confident_maps',
    'load_mask',
    'load_seed',
    'read_picture',
    'save_confident_maps',
    'save_mask',
    'save_seed',
]
