"""Which network a folder means."""

import json
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

from mmppc.apis import CAMInferencer, SegInferencer, find_network, open_network
from mmppc.apis.thresholds import Threshold
from tests.apis.tiny_networks import cam_config, save_network, scene, seg_config


def write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding='utf-8')


def make_stage(folder: Path, do: str, upstream: tuple[str, ...] = (), **more) -> None:
    manifest = dict(
        stage=folder.name, title=f'the {folder.name}', do=do, state='finished',
        upstream=dict.fromkeys(upstream, 'id'), outputs={}, threshold=None, settings=dict(tta=True),
    )  # fmt: skip
    write_json(folder / 'manifest.json', {**manifest, **more})


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A finished pipeline: CAM network, seeds, masks, segmentation network, its test."""
    root = tmp_path / 'run'
    write_json(root / 'pipeline.json', dict(stages=['cam', 'seeds', 'masks', 'b_seg', 'a_test']))
    outputs = dict(checkpoint='iter_8.pth')
    save_network(root / 'cam', cam_config(), 'config')
    make_stage(root / 'cam', 'train', outputs=outputs)
    make_stage(root / 'seeds', 'test', ('cam',))
    chosen = dict(value=0.37, source='best of seeds on train')
    make_stage(root / 'masks', 'masks', ('cam', 'seeds'), threshold=chosen)
    save_network(root / 'b_seg', seg_config(), 'config')
    make_stage(root / 'b_seg', 'train', ('masks',), outputs=outputs)
    make_stage(root / 'a_test', 'test', ('b_seg',))
    return root


def test_the_last_training_of_a_pipeline(pipeline: Path) -> None:
    found = find_network(pipeline)
    assert found.config == pipeline / 'b_seg' / 'config.py'
    assert found.checkpoint == pipeline / 'b_seg' / 'iter_8.pth'
    assert found.threshold is None
    assert found.title == 'the b_seg'
    assert find_network(pipeline / 'b_seg') == found
    inferencer, same = open_network(pipeline, device='cpu', show_progress=False)
    assert same == found
    assert isinstance(inferencer, SegInferencer)
    assert inferencer(scene(1))[0]['mask'].shape == (40, 56)


def test_a_stage_of_a_pipeline_with_its_threshold(pipeline: Path) -> None:
    found = find_network(pipeline, stage='cam')
    source = f'best of seeds on train, as in {pipeline / "masks"}'
    assert found.threshold == Threshold(0.37, source, True)
    inferencer, _ = open_network(pipeline / 'cam', device='cpu')
    assert isinstance(inferencer, CAMInferencer)
    assert inferencer.classes == ('background', 'square', 'circle', 'cross')
    (result,) = inferencer.iterate(scene(1), threshold=found.threshold)
    assert (result['threshold'], result['threshold_source']) == (0.37, source)
    with pytest.raises(
        FileNotFoundError, match="stage 'seeds' has no trained network, expected one of cam, b_seg"
    ):
        find_network(pipeline, stage='seeds')
    with pytest.raises(FileNotFoundError, match=r'this stage \(finished\) has no checkpoint'):
        find_network(pipeline / 'seeds')


def test_a_pipeline_that_has_not_come_so_far(pipeline: Path) -> None:
    manifest = json.loads((pipeline / 'b_seg' / 'manifest.json').read_text())
    write_json(
        pipeline / 'b_seg' / 'manifest.json', {**manifest, 'state': 'running', 'outputs': {}}
    )
    assert find_network(pipeline).config == pipeline / 'cam' / 'config.py'
    shutil.rmtree(pipeline / 'cam')
    with pytest.raises(
        FileNotFoundError, match='no stage of this pipeline has finished its training'
    ):
        find_network(pipeline)


def test_a_network_that_improves_seeds_is_passed_over(pipeline: Path) -> None:
    write_json(pipeline / 'pipeline.json', dict(stages=['cam', 'masks', 'b_seg', 'affinity']))
    save_network(pipeline / 'affinity', cam_config(), 'config')
    make_stage(pipeline / 'affinity', 'train', outputs=dict(checkpoint='iter_8.pth'))
    assert find_network(pipeline).config == pipeline / 'affinity' / 'config.py'
    walking = Config(dict(model=dict(type='AffinitySegmentor')))
    walking.dump(str(pipeline / 'affinity' / 'config.py'))
    assert find_network(pipeline).config == pipeline / 'b_seg' / 'config.py'
    with pytest.raises(ValueError, match='it walks over seeds'):
        open_network(pipeline, stage='affinity')


def test_the_work_folder_of_a_training(tmp_path: Path) -> None:
    config, checkpoint = save_network(tmp_path / 'work', cam_config())
    found = find_network(tmp_path / 'work')
    assert (found.config, found.checkpoint, found.threshold) == (config, checkpoint, None)
    other = shutil.copy(checkpoint, tmp_path / 'other.pth')
    assert find_network(tmp_path / 'work', other).checkpoint == other
    (tmp_path / 'work' / 'last_checkpoint').unlink()
    shutil.copy(checkpoint, checkpoint.with_name('iter_12.pth'))
    assert find_network(tmp_path / 'work').checkpoint == checkpoint.with_name('iter_12.pth')
    for path in (tmp_path / 'work').glob('*.pth'):
        path.unlink()
    with pytest.raises(FileNotFoundError, match='no checkpoint'):
        find_network(tmp_path / 'work')


def test_the_threshold_that_a_training_folder_holds(tmp_path: Path) -> None:
    config = {**cam_config(), 'mask_stage': dict(threshold_from='seed_metric_train.json')}
    save_network(tmp_path, config)
    assert find_network(tmp_path).threshold is None
    report = dict(best_threshold=0.41, split='train', conditions=dict(tta=False))
    file = tmp_path / 'seed_metric_train.json'
    write_json(file, report)
    expected = Threshold(0.41, f'best of {file}, chosen on train', False)
    assert find_network(tmp_path).threshold == expected


def test_a_config_alone_has_no_weights(tmp_path: Path) -> None:
    config, checkpoint = save_network(tmp_path, cam_config())
    assert find_network(config).checkpoint is None
    with pytest.raises(FileNotFoundError, match='a config alone has no weights'):
        open_network(config)
    inferencer, _ = open_network(config, checkpoint, device='cpu')
    assert isinstance(inferencer, CAMInferencer)


def test_what_is_no_network(tmp_path: Path, pipeline: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no such config file or work folder'):
        find_network(tmp_path / 'missing')
    with pytest.raises(FileNotFoundError, match=r'configs found: none'):
        find_network(tmp_path)
    with pytest.raises(FileNotFoundError, match='checkpoint not found'):
        find_network(pipeline, tmp_path / 'no.pth')
    with pytest.raises(ValueError, match=r"stage='cam': .* is no pipeline's work folder"):
        find_network(pipeline / 'cam', stage='cam')
    (pipeline / 'cam' / 'other.py').write_text('', encoding='utf-8')
    assert find_network(pipeline / 'cam').config.name == 'config.py'
    (pipeline / 'cam' / 'manifest.json').unlink()
    with pytest.raises(ValueError, match=r'configs found: config\.py, other\.py'):
        find_network(pipeline / 'cam')
    (pipeline / 'b_seg' / 'manifest.json').write_text('{', encoding='utf-8')
    with pytest.raises(ValueError, match=r'manifest\.json: not JSON'):
        find_network(pipeline)
