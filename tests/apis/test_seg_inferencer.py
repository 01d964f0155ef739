"""Pictures through a segmentation network, and mmseg's own inferencer on the same config."""

from pathlib import Path

import numpy as np
import pytest
from mmseg.apis import MMSegInferencer
from PIL import Image

from mmppc.apis import SegInferencer
from mmppc.functional.dense_crf import crf_from_probabilities
from mmppc.storage.masks import load_mask
from tests.apis.tiny_networks import cam_config, save_picture, scene, seg_config


def build(folder: Path, **options) -> SegInferencer:
    return SegInferencer(
        folder / 'tiny.py', folder / 'iter_8.pth', 'cpu', show_progress=False, **options
    )


@pytest.fixture(scope='module')
def inferencer(seg: Path) -> SegInferencer:
    return build(seg)


def test_masks_are_those_of_mmsegs_inferencer(
    inferencer: SegInferencer, seg: Path, pictures: Path
) -> None:
    theirs = MMSegInferencer(str(seg / 'tiny.py'), str(seg / 'iter_8.pth'), device='cpu')
    found = inferencer(pictures)
    expected = [theirs(item['source'])['predictions'] for item in found]
    expected_of_array = theirs(scene(1)[..., ::-1])['predictions']
    for item, mask in zip(found, expected):
        assert (item['mask'] == mask).all()
        assert item['mask'].dtype == np.uint8
    assert (expected_of_array == expected[0]).all()
    assert len(np.unique(np.concatenate([mask.ravel() for mask in expected]))) > 1
    batched = inferencer(pictures, batch_size=2)
    differing = [np.mean(a['mask'] != b['mask']) for a, b in zip(found, batched)]
    assert max(differing) < 0.01


def test_augmentation_averages_logits(seg: Path) -> None:
    picture = scene(2)
    augmented = build(seg, tta=True)
    (sample,) = augmented(picture, return_datasamples=True)
    mirrored = augmented(np.ascontiguousarray(picture[:, ::-1]), return_datasamples=True)[0]
    np.testing.assert_allclose(
        sample.seg_logits.data, mirrored.seg_logits.data.flip(-1), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize('workers', [0, pytest.param(1, marks=pytest.mark.slow)])
def test_crf(inferencer: SegInferencer, pictures: Path, workers: int) -> None:
    pytest.importorskip('pydensecrf.densecrf')
    path = pictures / 'b.PNG'
    (sample,) = inferencer(path, return_datasamples=True)
    probabilities = sample.seg_logits.data.softmax(dim=0).numpy()
    expected = crf_from_probabilities(np.array(Image.open(path)), probabilities, 'deeplab')
    (result,) = inferencer(path, crf='deeplab', crf_workers=workers)
    assert (result['mask'] == expected.argmax(axis=0)).all()
    assert result['crf'] == 'deeplab'


def test_crf_that_does_not_fit(inferencer: SegInferencer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="crf='seed': takes labels, expected a preset for prob"):
        inferencer.iterate(scene(1), crf='seed')
    config = {**seg_config(), 'tta_model': dict(type='SegTTAModel')}
    theirs = SegInferencer(config, classes=('background', 'a', 'b', 'c'), tta=True)
    with pytest.raises(ValueError, match=r'SegTTAModel.*keeps no merged scores'):
        theirs.iterate(scene(1), crf='deeplab')


def test_files(inferencer: SegInferencer, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    results = inferencer(pictures, out_dir=out)
    assert sorted(path.name for path in out.iterdir()) == ['masks', 'overlays']
    for item in results:
        assert (load_mask(item['files']['masks']) == item['mask']).all()
        with Image.open(item['files']['overlays']) as overlay:
            assert overlay.width > 400
    again = inferencer(pictures, out_dir=out)
    assert [item['finished'] for item in again] == [True] * 3
    assert (again[2]['mask'] == results[2]['mask']).all()
    with pytest.raises(ValueError, match=r"what=\['seeds'\]: expected some of masks, overlays"):
        inferencer(pictures, out_dir=out, what=['seeds'])


def test_tags_are_for_cam_networks(inferencer: SegInferencer) -> None:
    with pytest.raises(ValueError, match='tags: a segmentation network finds the classes itself'):
        inferencer(scene(1), ['circle'])
    with pytest.raises(ValueError, match=r'use mmppc\.apis\.CAMInferencer'):
        SegInferencer(cam_config())


def test_a_picture_without_any_object_is_drawn(inferencer: SegInferencer) -> None:
    mask = np.zeros((40, 56), np.uint8)
    sheet = inferencer.draw(scene(1), dict(mask=mask, crf='none'))
    assert sheet.shape[2] == 3


def test_pictures_turned_by_their_camera(inferencer: SegInferencer, tmp_path: Path) -> None:
    upright = save_picture(tmp_path / 'a.png', scene(1))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    turned = tmp_path / 'turned' / 'a.png'
    turned.parent.mkdir()
    Image.fromarray(np.ascontiguousarray(np.rot90(scene(1)))).save(turned, exif=exif)
    (first,), (second,) = inferencer(upright), inferencer(turned)
    assert (first['mask'] == second['mask']).all()
