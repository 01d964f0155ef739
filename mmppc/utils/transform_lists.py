"""The data pipelines of a config: what their transforms amount to, and whether they fit the network."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config


def augmentation(pipeline: list[dict]) -> dict[str, Any]:
    """Scales and flip of a test pipeline, with or without ``TestTimeAug``.

    Returns:
        ``scales`` relative to the picture's own size, or ``long_sides`` in pixels, and ``flip``.
    """
    transforms = list(_transforms(pipeline))
    resizes = [item for item in transforms if item['type'] in ('Resize', 'ResizeByScale')]
    values = [item.get('scale_factor') or item.get('scale') for item in resizes] or [1.0]
    fixed = [max(value) for value in values if isinstance(value, (list, tuple))]
    flip = any(item['type'] == 'RandomFlip' and item.get('prob') for item in transforms)
    return dict(long_sides=fixed, flip=flip) if fixed else dict(scales=values, flip=flip)


def check_crops(cfg: Config) -> None:
    """Refuse crops that the preprocessor would pad to its own size: the padding would be trained on as a picture.

    Raises:
        ValueError: A ``RandomCropPad`` of the training is smaller than the ``size`` of the ``data_preprocessor``.
    """
    size = (cfg.model.get('data_preprocessor') or {}).get('size')
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    crops = [
        item['crop_size']
        for item in _transforms(dataset.get('pipeline'))
        if item['type'] == 'RandomCropPad'
    ]
    if size is None or not crops:
        return
    crop = crops[-1]
    sides = (crop, crop) if isinstance(crop, int) else crop
    if any(side < padded for side, padded in zip(sides, size)):
        raise ValueError(
            f'train_dataloader.dataset.pipeline: RandomCropPad.crop_size={crop} is smaller than '
            f'model.data_preprocessor.size={tuple(size)}, to which crops would be padded; set both alike'
        )


def _transforms(node: Any) -> Iterator[dict]:
    """All transforms of a pipeline, those inside of others too."""
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from _transforms(item)
    elif isinstance(node, dict):
        yield node
        yield from _transforms(node.get('transforms'))
