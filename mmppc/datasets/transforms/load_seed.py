"""Loading of a picture's seed."""

from __future__ import annotations

from pathlib import Path

from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmppc.storage.seeds import load_seed


@TRANSFORMS.register_module()
class LoadSeed(BaseTransform):
    """Read ``<seed_dir>/<sample_id>.npz``, the scores that ``SeedGenerationHook`` wrote.

    Adds ``seed`` (K, H, W) float32 in [0, 1] at the picture's original size and ``seed_classes`` (K,) int64, channel
    numbers 1 .. C. They are not resized with the picture.

    Args:
        seed_dir: Folder of the seeds.

    Raises:
        FileNotFoundError: If the seed is missing.
        ValueError: If it cannot be read, or is of another picture size or number of classes.
    """

    def __init__(self, seed_dir: str) -> None:
        self.seed_dir = Path(seed_dir)

    def transform(self, results: dict) -> dict:
        path = self.seed_dir / f'{results["sample_id"]}.npz'
        if not path.is_file():
            raise FileNotFoundError(
                f'{path}: no such seed; test the CAM network first (tools/test.py CAM_CONFIG CHECKPOINT --tta writes '
                'seeds), or set seed_dir'
            )
        seed = load_seed(path)
        size = tuple(results['ori_shape'][:2])
        if seed.size != size:
            raise ValueError(
                f'{path}: field scores: found {seed.size[1]}x{seed.size[0]} pixels, expected {size[1]}x{size[0]} as '
                f'its picture {results.get("img_path")}'
            )
        expected = results.get('num_classes')
        if expected is not None and seed.num_classes != expected:
            raise ValueError(
                f'{path}: field num_classes: found {seed.num_classes}, expected {expected}'
            )
        results['num_classes'] = seed.num_classes
        results['seed'] = seed.scores
        results['seed_classes'] = seed.classes
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(seed_dir={str(self.seed_dir)!r})'
