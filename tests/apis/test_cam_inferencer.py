"""Pictures through a CAM network: maps as a test makes them, masks by their threshold, files to be trusted."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.infer import BaseInferencer
from mmseg.registry import MODELS
from PIL import Image

from mmppc.apis import CAMInferencer
from mmppc.datasets import TaggedImageDataset
from mmppc.functional.dense_crf import crf_from_labels
from mmppc.refinement.masks import make_pseudo_masks
from mmppc.refinement.records import PictureRecord
from mmppc.storage.masks import load_mask, mask_meta
from mmppc.storage.seeds import load_seed
from tests.apis.test_picture_stream import write_video
from tests.apis.tiny_networks import (
    CLASSES,
    PALETTE,
    cam_config,
    save_checkpoint,
    save_picture,
    scene,
    seg_config,
)


def build(folder: Path, **options) -> CAMInferencer:
    return CAMInferencer(
        folder / 'tiny.py', folder / 'iter_8.pth', 'cpu', show_progress=False, **options
    )


@pytest.fixture(scope='module')
def inferencer(cam: Path) -> CAMInferencer:
    return build(cam)


def reference(inferencer: CAMInferencer, picture: np.ndarray, tags: list[int] | None) -> np.ndarray:
    """``seg_logits`` as the segmentor itself predicts them in a test of this picture."""
    config = cam_config()
    dataset = TaggedImageDataset(
        data_prefix=dict(img_path=str(picture.parent)), metainfo=dict(classes=CLASSES),
        pipeline=config['test_dataloader']['dataset']['pipeline'],
    )  # fmt: skip
    index = next(
        k for k in range(len(dataset)) if dataset.get_data_info(k)['img_path'] == str(picture)
    )
    data = dataset[index]
    if tags is not None:
        from mmengine.structures import LabelData

        data['data_samples'].gt_tags = LabelData(label=torch.tensor(tags).float())
    model = MODELS.build(config['model']).eval()
    model.load_state_dict(inferencer.network.state_dict())
    with torch.no_grad():
        batch = dict(inputs=[data['inputs']], data_samples=[data['data_samples']])
        return model.test_step(batch)[0]


@pytest.mark.parametrize('tags', [None, [1, 0, 1]])
def test_maps_are_those_of_a_test(inferencer: CAMInferencer, pictures: Path, tags) -> None:
    assert isinstance(inferencer, BaseInferencer)
    path = pictures / 'b.PNG'
    sample = reference(inferencer, path, tags)
    given = None if tags is None else ['square', 'cross']
    (result,) = inferencer(path, given)
    logits = sample.seg_logits.data.numpy()
    present = [channel for channel in (1, 2, 3) if logits[channel].any()]
    assert result['classes'].tolist() == present
    assert result['cams'].shape == (len(present), 56, 40)
    np.testing.assert_allclose(result['cams'], logits[present], atol=6e-4)
    assert (result['cams'] == result['cams'].astype(np.float16)).all()
    scores = sample.pred_tags.score.numpy()
    assert list(result['tags']) == [CLASSES[channel] for channel in present]
    for channel in present:
        assert result['tags'][CLASSES[channel]] == pytest.approx(scores[channel - 1], abs=1e-5)
    np.testing.assert_allclose(result['tag_scores'], scores, atol=1e-5)
    assert result['tags_given'] is (tags is not None)
    assert (result['sample_id'], result['source']) == ('b', str(path))
    assert (result['threshold'], result['threshold_source']) == (0.3, "the config's threshold")
    # argmax of threshold and scores, ties to the background
    stack = np.concatenate([np.full((1, 56, 40), 0.3, np.float32), result['cams']])
    expected = np.append(0, present)[stack.argmax(axis=0)]
    assert (result['mask'] == expected).all()
    assert result['mask'].dtype == np.uint8
    assert len(np.unique(expected)) > 1


def test_paths_arrays_and_batches_give_the_same(inferencer: CAMInferencer, pictures: Path) -> None:
    single = inferencer(pictures)
    batched = inferencer(pictures, batch_size=2)
    arrays = inferencer(
        [scene(k, *size)[..., ::-1] for k, size in ((1, ()), (2, (56, 40)), (3, ()))]
    )
    assert [item['sample_id'] for item in single] == ['Käse 1', 'b', 'sub dir/Größe']
    assert [item['sample_id'] for item in arrays] == ['000000', '000001', '000002']
    assert [item['source'] for item in arrays] == [None] * 3
    for first, second, third in zip(single, batched, arrays):
        assert first['tags'].keys() == second['tags'].keys() == third['tags'].keys()
        np.testing.assert_allclose(first['cams'], second['cams'], atol=2e-3)
        assert (first['cams'] == third['cams']).all()
        assert (first['mask'] == third['mask']).all()


def test_tags_are_predicted_by_their_probability(inferencer: CAMInferencer) -> None:
    picture = scene(1)
    scores = inferencer(picture)[0]['tag_scores']
    order = np.argsort(scores)
    middle = float(scores[order[1]])
    found = inferencer.iterate(picture, tag_threshold=middle - 1e-4)
    assert set(next(found)['classes']) == set(order[1:] + 1)
    # The likeliest stays, whatever is asked for.
    (only,) = inferencer.iterate(picture, tag_threshold=1.0)
    assert only['classes'].tolist() == [order[2] + 1]
    (every,) = inferencer.iterate(picture, tag_threshold=0.0)
    assert every['classes'].tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match=r'tag_threshold=1\.5'):
        inferencer.iterate(picture, tag_threshold=1.5)


def test_tags_of_each_picture(inferencer: CAMInferencer, pictures: Path, tmp_path: Path) -> None:
    file = tmp_path / 'tags.csv'
    file.write_text(
        'image,tags\nKäse 1.png,circle\nb,\nsub dir/Größe,square cross\n', encoding='utf-8'
    )
    results = inferencer(pictures, file)
    assert [list(item['tags']) for item in results] == [['circle'], [], ['square', 'cross']]
    assert results[1]['cams'].shape == (0, 56, 40)
    assert not results[1]['mask'].any()
    mixed = inferencer(pictures, [['circle'], None, []])
    assert [item['tags_given'] for item in mixed] == [True, False, True]
    with pytest.raises(ValueError, match=r"no tags for picture 'b'"):
        inferencer(pictures, {'Käse 1': ['circle']})
    with pytest.raises(ValueError, match='tags: 4 lists for 3 pictures'):
        inferencer(pictures, [[]] * 4)


def test_thresholds(inferencer: CAMInferencer, tmp_path: Path) -> None:
    picture = scene(1)
    file = tmp_path / 'seed_metric_train.json'
    file.write_text(json.dumps(dict(best_threshold=0.62, split='train')), encoding='utf-8')
    tags = ['square', 'circle', 'cross']
    low, high, best = (
        inferencer(picture, tags, threshold=value)[0] for value in (0.1, 0.9, str(file))
    )
    assert (low['mask'] > 0).sum() > (best['mask'] > 0).sum() > (high['mask'] > 0).sum()
    assert ((best['cams'].max(axis=0) > np.float32(0.62)) == (best['mask'] > 0)).all()
    assert best['threshold_source'] == f'best of {file}, chosen on train'
    assert low['threshold_source'] == 'given'


def test_augmentation_sums_scales_and_flips(cam: Path, inferencer: CAMInferencer) -> None:
    picture = scene(4)
    tags = ['square', 'cross']
    augmented = build(cam, tta=True)
    (result,) = augmented(picture, tags)
    mirrored = augmented(np.ascontiguousarray(picture[:, ::-1]), tags)[0]
    # With each scale comes its mirror image, so the picture's mirror image has the mirror image's maps.
    np.testing.assert_allclose(result['cams'], mirrored['cams'][..., ::-1], atol=2e-3)
    single = inferencer(picture, tags)[0]['cams']
    assert np.abs(result['cams'] - single).max() > 0.02


def test_a_config_that_a_test_with_augmentation_left(tmp_path: Path) -> None:
    config = cam_config()
    weights = save_checkpoint(config, tmp_path / 'a.pth')
    left = dict(
        default_scope='mmseg',
        model=dict(type='CAMTTAModel', module=config['model']),
        test_dataloader=dict(dataset=dict(pipeline=config['tta_pipeline'])),
        val_dataloader=config['test_dataloader'],
    )
    picture = scene(1)
    for tta in (False, True):
        (first,) = CAMInferencer(left, weights, tta=tta, show_progress=False)(picture)
        (second,) = CAMInferencer(config, weights, tta=tta, show_progress=False)(picture)
        assert (first['cams'] == second['cams']).all()
    del left['val_dataloader']
    with pytest.raises(ValueError, match='expected transforms without TestTimeAug, found none'):
        CAMInferencer(left, weights)


def test_a_pipeline_of_foreign_transforms(inferencer: CAMInferencer, tmp_path: Path) -> None:
    config = cam_config()
    config['test_dataloader']['dataset']['pipeline'] = [
        dict(type='LoadImageFromFile', to_float32=True),
        dict(type='Resize', scale=(48, 48), keep_ratio=True),
        dict(type='LoadAnnotations'),
        dict(type='PackSegInputs', meta_keys=('img_path',)),
    ]
    weights = save_checkpoint(config, tmp_path / 'a.pth')
    foreign = CAMInferencer(config, weights, show_progress=False)
    picture, tags = scene(1), ['cross']
    (first,), (second,) = foreign(picture, tags), inferencer(picture, tags)
    # Resizing in floating point does not round.
    np.testing.assert_allclose(first['cams'], second['cams'], atol=0.05)
    assert first['cams'].shape == (1, 40, 56)


def test_crf(inferencer: CAMInferencer, pictures: Path) -> None:
    pytest.importorskip('pydensecrf.densecrf')
    tags = ['square', 'circle']
    plain = inferencer(pictures, tags)
    here = inferencer(pictures, tags, crf='seed')
    path = pictures / 'b.PNG'
    image = np.array(Image.open(path))
    expected = crf_from_labels(image, plain[1]['mask'], len(CLASSES), 'seed')
    assert (here[1]['mask'] == expected).all()
    assert (expected != plain[1]['mask']).any()
    assert here[1]['crf'] == 'seed'
    with pytest.raises(ValueError, match="CRF preset 'sed'"):
        inferencer(pictures, tags, crf='sed')


@pytest.mark.slow
def test_crf_in_other_processes(inferencer: CAMInferencer, pictures: Path) -> None:
    pytest.importorskip('pydensecrf.densecrf')
    tags = ['square', 'circle']
    here = inferencer(pictures, tags, crf='seed')
    there = inferencer(pictures, tags, crf='seed', crf_workers=1)
    assert [item['sample_id'] for item in there] == [item['sample_id'] for item in here]
    for first, second in zip(here, there):
        assert (first['mask'] == second['mask']).all()


def test_files(inferencer: CAMInferencer, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    results = inferencer(pictures, out_dir=out)
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob('*') if path.is_file())
    names = ['Käse 1', 'b', 'sub dir/Größe']
    kinds = dict(masks='.png', overlays='.jpg', seeds='.npz')
    assert written == sorted(f'{kind}/{name}{end}' for kind, end in kinds.items() for name in names)
    for result in results:
        files = result['files']
        assert (load_mask(files['masks']) == result['mask']).all()
        with Image.open(files['masks']) as mask:
            assert mask.getpalette()[: 3 * 4] == [value for row in PALETTE for value in row]
        seed = load_seed(files['seeds'])
        assert (seed.scores == result['cams']).all()
        assert (seed.classes == result['classes']).all()
        assert seed.num_classes == 4
        assert seed.meta['sample_id'] == result['sample_id']
        with Image.open(files['overlays']) as overlay:
            assert overlay.width > 400  # several panels
        record = mask_meta(files['masks'])
        assert record['tags'] == pytest.approx(result['tags'])
        assert record['origin']['threshold'] == 0.3
    assert not any(result['finished'] for result in results)


def test_seeds_make_the_same_masks_by_the_pipelines_own_tool(
    inferencer: CAMInferencer, pictures: Path, tmp_path: Path
) -> None:
    results = inferencer(pictures, out_dir=tmp_path / 'out')
    records = [PictureRecord(item['sample_id'], item['source']) for item in results]
    make_pseudo_masks(
        records, seed_dir=tmp_path / 'out' / 'seeds', out_dir=tmp_path / 'masks', threshold=0.3,
        classes=CLASSES, palette=PALETTE, method='none', workers=0,
    )  # fmt: skip
    for item in results:
        assert (load_mask(tmp_path / 'masks' / f'{item["sample_id"]}.png') == item['mask']).all()


def test_finished_files_are_not_made_again(
    inferencer: CAMInferencer, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / 'out'
    first = inferencer(pictures, out_dir=out)
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob('*.*')}
    monkeypatch.setattr(inferencer, 'forward', lambda data: pytest.fail('the network was run'))
    again = inferencer(pictures, out_dir=out)
    assert [item['finished'] for item in again] == [True] * 3
    for before, now in zip(first, again):
        assert (now['mask'] == before['mask']).all()
        assert (now['cams'] == before['cams']).all()
        assert (now['classes'] == before['classes']).all()
        assert now['tags'] == before['tags']
        assert (now['tag_scores'] == before['tag_scores']).all()
    assert {path: path.stat().st_mtime_ns for path in out.rglob('*.*')} == stamps
    fewer = inferencer(pictures, out_dir=out, what=['masks'])
    assert [item['finished'] for item in fewer] == [True] * 3
    assert fewer[0]['cams'] is None


def test_what_has_changed_is_made_again(
    inferencer: CAMInferencer, cam: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'

    def made(model: CAMInferencer = inferencer, tags=None, **options) -> list[str]:
        results = model(pictures, tags, out_dir=out, what=['masks', 'overlays'], **options)
        return [item['sample_id'] for item in results if not item['finished']]

    every = ['Käse 1', 'b', 'sub dir/Größe']
    assert made() == every
    (out / 'overlays' / 'b.jpg').unlink()
    assert made() == ['b']
    save_picture(pictures / 'Käse 1.png', scene(9))
    os.utime(pictures / 'Käse 1.png', ns=(1, 1))  # older than its mask, yet another picture
    assert made() == ['Käse 1']
    assert made(threshold=0.5) == every
    assert made(threshold=0.5) == []
    assert made(tags={'Käse 1': None, 'b': ['cross'], 'sub dir/Größe': None}, threshold=0.5) == [
        'b'
    ]
    assert made(overwrite=True) == every
    weights = save_checkpoint(cam_config(), tmp_path / 'other.pth', seed=1)
    other = CAMInferencer(cam / 'tiny.py', weights, 'cpu', show_progress=False)
    assert made(other) == every
    assert made(other) == []
    assert made(build(cam, tta=True)) == every
    names = list(inferencer.classes)
    renamed = build(cam, tta=True, classes=[names[0], *reversed(names[1:])])
    assert made(renamed) == every
    assert made(renamed) == []


def test_results_below_the_pictures_are_no_pictures(
    inferencer: CAMInferencer, pictures: Path
) -> None:
    for _ in range(2):
        found = inferencer(pictures, out_dir=pictures / 'out')
        assert [item['sample_id'] for item in found] == ['Käse 1', 'b', 'sub dir/Größe']
    found = inferencer(pictures, out_dir=pictures)  # next to them
    assert [item['sample_id'] for item in inferencer(pictures, out_dir=pictures)][-1] == found[-1][
        'sample_id'
    ]


def test_files_of_others_are_never_replaced(
    inferencer: CAMInferencer, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    drawn = save_picture(out / 'masks' / 'b.png', scene(1))
    before = drawn.read_bytes()
    with pytest.raises(FileExistsError, match=r'b\.png: exists, and was not made by an inferencer'):
        inferencer(pictures, out_dir=out)
    assert drawn.read_bytes() == before
    inferencer(pictures, out_dir=out, overwrite=True)
    assert drawn.read_bytes() != before


def test_arrays_are_always_run(inferencer: CAMInferencer, tmp_path: Path) -> None:
    inferencer(scene(1), out_dir=tmp_path)
    (result,) = inferencer(scene(2), out_dir=tmp_path)
    assert not result['finished']
    assert (load_mask(tmp_path / 'masks' / '000000.png') == result['mask']).all()


def test_broken_pictures(inferencer: CAMInferencer, pictures: Path, tmp_path: Path) -> None:
    whole = (pictures / 'b.PNG').read_bytes()
    (pictures / 'b.PNG').write_bytes(whole[:80])
    (pictures / 'film.txt').write_text('ignored', encoding='utf-8')
    with pytest.raises(ValueError, match=r'b\.PNG: not a picture that can be read'):
        inferencer(pictures)
    video = tmp_path / 'film.mp4'
    video.write_bytes(b'no video')
    results = inferencer([pictures, video], skip_broken=True, batch_size=2)
    assert [item['sample_id'] for item in results] == ['Käse 1', 'sub dir/Größe']
    assert [item['sample_id'] for item in inferencer.broken] == ['b', 'film/000000']
    assert 'b.PNG: not a picture' in inferencer.broken[0]['error']


def test_frames_of_a_video(inferencer: CAMInferencer, tmp_path: Path) -> None:
    path = write_video(tmp_path / 'Zug fährt.avi')
    options = dict(
        tags={'Zug fährt': ['circle']}, batch_size=2, out_dir=tmp_path / 'out', frame_step=3
    )
    results = inferencer(path, **options)
    assert [item['sample_id'] for item in results] == [f'Zug fährt/{k:06d}' for k in (0, 3, 6)]
    assert [list(item['tags']) for item in results] == [['circle']] * 3
    assert load_mask(tmp_path / 'out' / 'masks' / 'Zug fährt' / '000003.png').shape == (24, 32)
    assert [item['finished'] for item in inferencer(path, **options)] == [True] * 3


def test_iterating_takes_no_more_than_it_needs(inferencer: CAMInferencer) -> None:
    taken = []

    def endless():
        for k in range(1000000):
            taken.append(k)
            yield scene(k % 5)

    results = inferencer.iterate(endless(), batch_size=2)
    assert [next(results)['sample_id'] for _ in range(3)] == ['000000', '000001', '000002']
    assert len(taken) <= 8
    results.close()


def test_what_comes_back(inferencer: CAMInferencer, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = scene(1)
    tags = ['circle']
    (result,) = inferencer(picture, tags, return_vis=True)
    assert result['overlay'].dtype == np.uint8
    assert result['overlay'].shape[2] == 3
    (sample,) = inferencer(picture, tags, threshold=0.7, return_datasamples=True)
    expected = inferencer(picture, tags, threshold=0.7)[0]
    assert (sample.pred_sem_seg.data[0].numpy() == expected['mask']).all()
    assert sample.seg_logits.data[0].unique().tolist() == [pytest.approx(0.7)]
    (predicted,) = inferencer(picture, tag_threshold=1.0, return_datasamples=True)
    assert (predicted.seg_logits.data[1:].amax(dim=(1, 2)) > 0).sum() == 1
    shown = []
    window = type('Window', (), {'show': lambda self, *given: shown.append(given)})()
    monkeypatch.setitem(inferencer.__dict__, '_window', window)
    inferencer(picture, tags, show=True, wait_time=0.5)
    assert [(name, wait) for _, name, wait in shown] == [('000000', 0.5)]
    assert shown[0][0].shape == result['overlay'].shape


def test_wrong_arguments(cam: Path, seg: Path, tmp_path: Path) -> None:
    inferencer = build(cam)
    with pytest.raises(ValueError, match='batch_size=0'):
        inferencer.iterate(scene(1), batch_size=0)
    with pytest.raises(
        ValueError, match=r"what=\['mask'\]: expected some of masks, overlays, seeds"
    ):
        inferencer.iterate(scene(1), out_dir=tmp_path, what=['mask'])
    with pytest.raises(FileNotFoundError, match='config not found'):
        CAMInferencer(tmp_path / 'no.py')
    with pytest.raises(ValueError, match='expected a config file'):
        CAMInferencer(tmp_path)
    with pytest.raises(FileNotFoundError, match='checkpoint not found'):
        CAMInferencer(cam / 'tiny.py', tmp_path / 'no.pth')
    with pytest.raises(ValueError, match='is of another architecture'):
        CAMInferencer(cam / 'tiny.py', seg / 'iter_8.pth')
    with pytest.raises(
        ValueError, match=r'a segmentation network, expected a CAM network; use .*SegInferencer'
    ):
        CAMInferencer(seg_config())
    with pytest.raises(ValueError, match='device='):
        CAMInferencer(cam / 'tiny.py', device='nonsense')
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match='sees 0 GPUs'):
            CAMInferencer(cam / 'tiny.py', device='cuda')
    with pytest.raises(ValueError, match='classes: 2 classes, expected 4'):
        CAMInferencer(cam / 'tiny.py', classes=('background', 'a'))
    with pytest.raises(ValueError, match='the names of the classes are neither'):
        CAMInferencer(cam / 'tiny.py')
    with pytest.raises(ValueError, match='it walks over seeds'):
        CAMInferencer(dict(model=dict(type='AffinitySegmentor')))


def test_any_segmentor_by_its_probabilities(tmp_path: Path) -> None:
    config = seg_config()
    config['tta_model'] = dict(type='ProbabilityTTAModel', threshold=0.4)
    weights = save_checkpoint(config, tmp_path / 'a.pth')
    inferencer = CAMInferencer(config, weights, tta=True, show_progress=False)
    (result,) = inferencer(scene(1), ['circle'])
    assert result['cams'].shape == (1, 40, 56)
    assert result['threshold'] == 0.4
    assert result['tags'] == {'circle': None}
    (again,) = inferencer(scene(1), ['circle'], return_vis=True)
    assert again['overlay'].shape[2] == 3
    with pytest.raises(ValueError, match='this network predicts no tags'):
        inferencer(scene(1))
