"""The data of ablations: the lists of their splits, and digests by which a run knows what it was made from."""

import functools
from pathlib import Path

from mmengine.config import Config

from mmppc.datasets.names import read_lines, sample_id
from mmppc.pipeline.digests import digest, files_digest, sizes_digest, times_digest
from mmppc.pipeline.stage_config import initial_weights

SPLITS = ('train', 'val')
LISTS = {split: f'ImageSets/Segmentation/{split}.txt' for split in SPLITS}


def data_digest(cfg: Config) -> str:
    """Digest of what the runs use of the data: lists, tags, the file of classes, and the initial weights.

    Files that are not there are left out.

    Raises:
        FileNotFoundError: The data folder is missing.
    """
    dataset = cfg.train_dataloader.dataset
    root = _data_root(cfg)
    names = [dataset.ann_file, *LISTS.values(), dataset.tag_file]
    further = {}
    for path in initial_weights(cfg):
        if path.is_relative_to(root):
            names.append(str(path.relative_to(root)))
        else:
            status = path.stat()
            further[path.name] = _digest_of(path, f'{status.st_size} {status.st_mtime_ns}')
    tags = root / dataset.tag_file
    if tags.is_dir():
        further['tags'] = _digest_of(tags, times_digest(tags))
    if dataset.get('classes_file'):
        names.append(dataset.classes_file)
    found = files_digest((name, root / name) for name in names if (root / name).is_file())
    return digest([found, further]) if further else found


def _data_root(cfg: Config) -> Path:
    root = Path(cfg.train_dataloader.dataset.data_root)
    if not root.is_dir():
        raise FileNotFoundError(f'data_root not found: {root}')
    return root


@functools.lru_cache
def _digest_of(path: Path, times: str) -> str:
    """Digest of the contents of a file or of all files of a folder; ``times`` tells when it is to be made anew."""
    if path.is_file():
        return files_digest([('', path)])
    files = sorted(file for file in path.rglob('*') if file.is_file())
    return files_digest((file.relative_to(path).as_posix(), file) for file in files)


def masks_digest(cfg: Config) -> str:
    """Digest of the names and sizes of the true masks that the tests are scored with."""
    root = _data_root(cfg)
    folder = root / cfg.test_dataloader.dataset.data_prefix.seg_map_path
    lists = [root / name for name in LISTS.values() if (root / name).is_file()]
    ids = dict.fromkeys(sample_id(line) for path in lists for line in read_lines(path))
    return sizes_digest(folder, [f'{name}.png' for name in ids])
