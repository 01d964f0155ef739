"""What a config says about its network: with or without test-time augmentation, and how pictures go into it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, Compose
from mmengine.config import Config
from mmseg.registry import TRANSFORMS

_LOADERS = ('LoadPicture', 'LoadImageFromFile', 'LoadImageFromNDArray', 'InferencerLoader')
_WHERE = 'test_dataloader.dataset.pipeline or val_dataloader.dataset.pipeline'


def bare_model(cfg: Config) -> dict[str, Any]:
    """The network's own config, without the wrapper that ``tools/test.py --tta`` leaves in a work folder.

    Raises:
        ValueError: The config has no model.
    """
    model = cfg.get('model')
    while model is not None and 'module' in model:
        model = model['module']
    if not model:
        raise ValueError(f'{_source(cfg)}: field model: found none, expected a network')
    return _plain(model)


def tta_model(cfg: Config) -> dict[str, Any]:
    """The network in the wrapper for test-time augmentation.

    Raises:
        ValueError: The config describes none.
    """
    wrapper = cfg.get('tta_model')
    if wrapper is None and 'module' in (cfg.get('model') or {}):
        wrapper = cfg.model
    if wrapper is None:
        raise ValueError(
            f'{_source(cfg)}: field tta_model: found none, expected a wrapper such as '
            "dict(type='CAMTTAModel'), since test-time augmentation is asked for"
        )
    return {**_plain(wrapper), 'module': bare_model(cfg)}


def pipeline_config(cfg: Config, *, tta: bool = False) -> list[dict[str, Any]]:
    """The transforms of a test, for pictures that are already loaded.

    Everything that loads is left out: pictures, masks, and what else only a data set has.

    Args:
        cfg: Config with the data of a test or a validation.
        tta: Take the pipeline for test-time augmentation, else one without.

    Raises:
        ValueError: The config has no such pipeline, or it needs seeds.
    """
    found = [_pipeline_of(cfg.get(f'{name}_dataloader')) for name in ('test', 'val')]
    found.append(cfg.get('test_pipeline'))
    if tta:
        found.insert(0, cfg.get('tta_pipeline'))
    fitting = [item for item in found if item and _augments(item) == tta]
    if not fitting:
        where = 'tta_pipeline' if tta else _WHERE
        kind = 'a TestTimeAug' if tta else 'transforms without TestTimeAug'
        raise ValueError(f'{_source(cfg)}: {where}: expected {kind}, found none')
    pipeline = _plain(fitting[0])
    if any(name == 'LoadSeed' for name in _names(pipeline)):
        raise ValueError(
            f'{_source(cfg)}: the network walks over seeds (LoadSeed), which a picture alone has not; use tools/test.py'
        )
    floats = any(item.get('to_float32') for item in pipeline if _name(item) in _LOADERS)
    steps = _without_loading(pipeline)
    return [dict(type='PictureToFloat'), *steps] if floats else steps


def picture_pipeline(cfg: Config, *, tta: bool = False) -> Callable[[dict], dict]:
    """What :func:`pipeline_config` describes, for :func:`prepare_picture`."""
    return Compose(pipeline_config(cfg, tta=tta))


def prepare_picture(
    pipeline: Callable[[dict], dict],
    picture: np.ndarray,
    *,
    sample_id: str,
    img_path: str | None = None,
) -> dict[str, Any]:
    """A loaded picture as a network takes it: ``inputs`` and ``data_samples``, lists with test-time augmentation.

    Args:
        pipeline: Of :func:`picture_pipeline`.
        picture: (H, W, 3) uint8 BGR.
        sample_id: Its name.
        img_path: Its file, if it has one.
    """
    size = picture.shape[:2]
    results: dict[str, Any] = dict(
        img=picture,
        img_path=img_path,
        sample_id=sample_id,
        img_shape=size,
        ori_shape=size,
        seg_fields=[],
        reduce_zero_label=False,
    )
    data = pipeline(results)
    if data is None:
        raise ValueError(f'{sample_id}: a transform of the pipeline returned None for this picture')
    for sample in samples_of(data):
        sample.set_metainfo(dict(sample_id=sample_id, img_path=img_path, ori_shape=size))
    return data


def samples_of(data: Mapping[str, Any]) -> list:
    """The data samples of a prepared picture: one, or one a variant."""
    samples = data['data_samples']
    return list(samples) if isinstance(samples, (list, tuple)) else [samples]


@TRANSFORMS.register_module(force=True)
class PictureToFloat(BaseTransform):
    """``img`` as float32, as a loader with ``to_float32`` gives it."""

    def transform(self, results: dict) -> dict:
        return {**results, 'img': results['img'].astype(np.float32)}


def _source(cfg: Any) -> str:
    """Where a config comes from, for messages."""
    return getattr(cfg, 'filename', None) or 'config'


def _plain(node: Any) -> Any:
    """A copy without MMEngine's classes, which registries may change while they build."""
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(_plain(value) for value in node)
    return copy.copy(node)


def _pipeline_of(loader: Any) -> Any:
    """The pipeline of a loader's data set, also inside of ``RepeatDataset`` or ``ConcatDataset``."""
    dataset = (loader or {}).get('dataset')
    while dataset and not dataset.get('pipeline'):
        inner = dataset.get('dataset') or (dataset.get('datasets') or [None])[0]
        if inner is None:
            return None
        dataset = inner
    return dataset.get('pipeline') if dataset else None


def _name(transform: Any) -> str:
    kind = transform.get('type') if isinstance(transform, Mapping) else type(transform)
    return (kind if isinstance(kind, str) else getattr(kind, '__name__', '')).split('.')[-1]


def _names(node: Any) -> list[str]:
    """Names of all transforms of a pipeline, those inside of others too."""
    if isinstance(node, (list, tuple)):
        return [name for item in node for name in _names(item)]
    if isinstance(node, Mapping):
        return [_name(node), *_names(node.get('transforms') or [])]
    return [_name(node)]


def _augments(pipeline: Any) -> bool:
    return 'TestTimeAug' in _names(pipeline)


def _without_loading(node: Any) -> Any:
    """A pipeline without its loaders, and without the lists that are empty then."""
    if isinstance(node, (list, tuple)):
        kept = [item for item in node if isinstance(item, (list, tuple)) or not _loads(item)]
        return [item for item in map(_without_loading, kept) if item != []]
    if isinstance(node, Mapping) and 'transforms' in node:
        return {**node, 'transforms': _without_loading(node['transforms'])}
    return node


def _loads(transform: Any) -> bool:
    name = _name(transform)
    return name in _LOADERS or name.startswith('Load')
