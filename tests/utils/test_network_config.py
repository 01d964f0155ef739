"""What a config says about a network and its pictures."""

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmppc  # noqa: F401
from mmppc.utils.network_config import (
    bare_model,
    picture_pipeline,
    pipeline_config,
    prepare_picture,
    samples_of,
    tta_model,
)

RESIZE = dict(type='Resize', scale=(20, 20), keep_ratio=True)
PLAIN = [
    dict(type='LoadPicture'),
    RESIZE,
    dict(type='LoadIndexMask'),
    dict(type='PackTaggedInputs'),
]
TTA = [
    dict(type='LoadPicture'),
    dict(
        type='TestTimeAug',
        transforms=[
            [RESIZE, dict(type='Resize', scale=(40, 40), keep_ratio=True)],
            [dict(type='LoadAnnotations')],
            [dict(type='PackTaggedInputs')],
        ],
    ),
]
PICTURE = np.random.default_rng(0).integers(0, 256, (20, 10, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def scope() -> None:
    """Transforms are found as in a runner or an inferencer, whatever ran before."""
    init_default_scope('mmseg')


def loader(pipeline: list) -> dict:
    return dict(dataset=dict(type='TaggedImageDataset', pipeline=pipeline))


def test_the_wrapper_for_augmentation_comes_off_and_on() -> None:
    bare = dict(type='CAMSegmentor', test_cfg=dict(threshold=0.2))
    for cfg in (
        dict(model=bare, tta_model=dict(type='CAMTTAModel')),
        dict(model=dict(type='CAMTTAModel', module=bare)),
        dict(
            model=dict(type='CAMTTAModel', module=bare),
            tta_model=dict(type='CAMTTAModel', module=bare),
        ),
    ):
        assert bare_model(Config(cfg)) == bare
        assert tta_model(Config(cfg)) == dict(type='CAMTTAModel', module=bare)
    with pytest.raises(ValueError, match='field tta_model: found none'):
        tta_model(Config(dict(model=bare)))
    with pytest.raises(ValueError, match='field model: found none'):
        bare_model(Config(dict()))


def test_pipelines_without_what_loads() -> None:
    cfg = Config(dict(test_dataloader=loader(PLAIN), tta_pipeline=TTA))
    assert [item['type'] for item in pipeline_config(cfg)] == ['Resize', 'PackTaggedInputs']
    (augmentation,) = pipeline_config(cfg, tta=True)
    assert [len(part) for part in augmentation['transforms']] == [2, 1]
    left = Config(dict(test_dataloader=loader(TTA), val_dataloader=loader(PLAIN)))
    assert pipeline_config(left) == pipeline_config(cfg)
    assert pipeline_config(left, tta=True) == pipeline_config(cfg, tta=True)
    repeated = dict(dataset=dict(type='RepeatDataset', times=2, dataset=loader(PLAIN)['dataset']))
    assert pipeline_config(Config(dict(test_dataloader=repeated))) == pipeline_config(cfg)
    with pytest.raises(ValueError, match=r'tta_pipeline: expected a TestTimeAug, found none'):
        pipeline_config(Config(dict(test_dataloader=loader(PLAIN))), tta=True)
    walking = loader([*PLAIN[:2], dict(type='LoadSeed'), PLAIN[-1]])
    with pytest.raises(ValueError, match='walks over seeds'):
        pipeline_config(Config(dict(test_dataloader=walking)))


def test_a_prepared_picture() -> None:
    cfg = Config(dict(test_dataloader=loader(PLAIN), tta_pipeline=TTA))
    data = prepare_picture(picture_pipeline(cfg), PICTURE, sample_id='a', img_path='b/a.png')
    assert data['inputs'].shape == (3, 20, 10)
    assert (data['inputs'].numpy() == PICTURE.transpose(2, 0, 1)).all()
    (sample,) = samples_of(data)
    assert (sample.sample_id, sample.img_path, sample.ori_shape) == ('a', 'b/a.png', (20, 10))
    augmented = prepare_picture(picture_pipeline(cfg, tta=True), PICTURE, sample_id='a')
    assert [tuple(item.shape) for item in augmented['inputs']] == [(3, 20, 10), (3, 40, 20)]
    assert [sample.sample_id for sample in samples_of(augmented)] == ['a', 'a']
    assert [sample.ori_shape for sample in samples_of(augmented)] == [(20, 10)] * 2
    again = prepare_picture(picture_pipeline(cfg), PICTURE, sample_id='c')
    assert (again['inputs'] == data['inputs']).all()


def test_floats_where_the_loader_gave_floats() -> None:
    pipeline = [dict(type='LoadImageFromFile', to_float32=True), *PLAIN[1:]]
    cfg = Config(dict(test_dataloader=loader(pipeline)))
    data = prepare_picture(picture_pipeline(cfg), PICTURE, sample_id='a')
    assert data['inputs'].dtype.is_floating_point
