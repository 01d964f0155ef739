"""Pipelines: what is run, continued, run again or left, on stand-ins for the tools."""

import json
import os
from pathlib import Path

import pytest
from mmengine.config import Config

from mmppc.datasets import TaggedImageDataset
from mmppc.datasets.toy import draw_toy_set
from mmppc.pipeline.definition import read_pipeline
from mmppc.pipeline.execute import as_finished, chosen_steps, execute
from mmppc.pipeline.folder_lock import folder_lock
from mmppc.pipeline.run import RunOptions, describe_plan, figures_table, prepare, show_plan
from mmppc.utils.places import find_pipeline, project_folder
from tests.pipeline.fake_stages import FakeStages, whole_checkpoint

NAMES = ['cam', 'train_seeds', 'val_seeds', 'masks', 'segmentation', 'final']


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_toy_set(tmp_path_factory.mktemp('data') / 'toy', num_train=6, num_val=2, size=48)


def options_of(work: Path, data: Path, name: str = 'cam_toy', **more) -> RunOptions:
    return RunOptions(find_pipeline(name), work, data={'root': data}, **more)


def run(options: RunOptions, stages: FakeStages) -> dict[str, dict]:
    """As ``run_pipeline``, with stand-ins for the tools."""
    pipeline, _, steps = prepare(options)
    manifests = {}
    for step in chosen_steps(steps, options.first, options.last, options.gpus):
        if step.state == 'finished':
            continue
        current = next(item for item in steps if item.stage.name == step.stage.name)
        manifests[step.stage.name] = execute(
            pipeline,
            steps,
            current,
            stages,
            tools=Path('tools'),
            work_dir=options.work_dir,
            gpus=options.gpus,
        )
        steps = as_finished(steps, current)
    return manifests


def states(options: RunOptions) -> dict[str, str]:
    return {step.stage.name: step.state for step in prepare(options)[2]}


def reasons(options: RunOptions) -> dict[str, str]:
    return {step.stage.name: step.reason for step in prepare(options)[2]}


def test_all_stages_in_order_and_what_flows_between_them(tmp_path, data):
    stages = FakeStages()
    manifests = run(options_of(tmp_path, data, seed=3), stages)
    assert stages.done == NAMES
    cam, train, val, masks, _, final = stages.commands
    assert cam[2:] == [
        str(tmp_path / 'cam/config.py'), '--work-dir', str(tmp_path / 'cam'), '--no-validate', '--resume',
    ]  # fmt: skip
    assert train[3] == str(tmp_path / 'cam/iter_2.pth')
    assert '--tta' in train
    assert val[3] == train[3]
    report = str(tmp_path / 'train_seeds/seed_metric_train.json')
    assert masks[-2:] == ['--threshold-from', report]
    assert masks[masks.index('--seeds') + 1] == str(tmp_path / 'train_seeds/seeds')
    assert final[3] == str(tmp_path / 'segmentation/iter_2.pth')
    assert final[-2:] == ['--out', str(tmp_path / 'final/predictions')]
    # The threshold of train goes to val and to the masks, with its origin.
    config = Config.fromfile(str(tmp_path / 'val_seeds/config.py'))
    assert config.test_evaluator[0].threshold == 0.31
    assert config.test_dataloader.dataset.ann_file == str(data / 'ImageSets/Segmentation/val.txt')
    for name in ('val_seeds', 'masks'):
        threshold = {'value': 0.31, 'source': 'best of train_seeds on train'}
        assert manifests[name]['threshold'] == threshold
    assert manifests['cam']['threshold'] is None
    config = Config.fromfile(str(tmp_path / 'segmentation/config.py'))
    assert config.train_dataloader.dataset.data_prefix.seg_map_path == str(tmp_path / 'masks/masks')
    assert config.test_dataloader.dataset.data_prefix.seg_map_path == str(
        data / 'SegmentationClass'
    )
    assert config.randomness.seed == manifests['segmentation']['seed'] == 3
    figures = {
        (name, item['name'], item['split']): item['value']
        for name, manifest in manifests.items()
        for item in manifest['figures']
    }
    assert figures == {
        ('train_seeds', 'seed mIoU', 'train'): 50.0,
        ('val_seeds', 'seed mIoU', 'val'): 40.0,
        ('masks', 'mask mIoU', 'train'): 45.0,
        ('final', 'final mIoU', 'val'): 44.0,
    }
    assert 'threshold 0.31, best of train_seeds on train' in figures_table(manifests).get_string()
    assert manifests['cam']['outputs'] == {'checkpoint': 'iter_2.pth'}
    assert manifests['final']['state'] == 'finished'
    ids = {name: manifests[name]['id'] for name in ('segmentation', 'masks')}
    assert manifests['final']['upstream'] == ids


def test_finished_stages_are_left_alone(tmp_path, data):
    run(options_of(tmp_path, data), FakeStages())
    again = FakeStages()
    run(options_of(tmp_path, data), again)
    assert again.done == []
    assert set(states(options_of(tmp_path, data)).values()) == {'finished'}


def test_a_moved_work_folder_and_moved_data_stay_finished(tmp_path, data):
    run(options_of(tmp_path / 'a', data), FakeStages())
    (tmp_path / 'a').rename(tmp_path / 'b')
    moved = tmp_path / 'toy'
    moved.symlink_to(data)
    assert set(states(options_of(tmp_path / 'b', moved)).values()) == {'finished'}


def test_an_interrupted_stage_goes_on_and_nothing_before_it_is_repeated(tmp_path, data):
    with pytest.raises(ChildProcessError):
        run(options_of(tmp_path, data), FakeStages(fail_at='train DeepLab'))
    found = states(options_of(tmp_path, data))
    assert found['masks'] == 'finished'
    assert found['segmentation'] == 'resume'
    assert found['final'] == 'new'
    stages = FakeStages()
    manifests = run(options_of(tmp_path, data), stages)
    assert stages.done == ['segmentation', 'final']
    assert manifests['segmentation']['attempts'] == 2
    assert (tmp_path / 'segmentation/iter_1.pth').is_file()  # what it had stays


def test_seconds_are_those_of_all_starts(tmp_path, data):
    class Slow(FakeStages):
        """Each start takes 100 s by its log, and is killed or takes no time more."""

        def __call__(self, title, command, log_file, *, pass_fds=()):
            begun = json.loads((log_file.parent / 'manifest.json').read_text())['begun']
            log_file.touch()
            os.utime(log_file, (begun + 100, begun + 100))
            super().__call__(title, command, log_file, pass_fds=pass_fds)

    for _ in range(2):
        with pytest.raises(ChildProcessError):
            run(options_of(tmp_path, data, last='cam'), Slow(fail_at='train'))
    found = run(options_of(tmp_path, data, last='cam'), Slow())['cam']
    assert found['attempts'] == 3
    assert 200 <= found['seconds'] < 205
    # Something it made is lost: the time to make it again comes on top.
    (tmp_path / 'cam/iter_2.pth').unlink()
    (tmp_path / 'cam/iter_1.pth').unlink()
    assert 200 <= run(options_of(tmp_path, data, last='cam'), Slow())['cam']['seconds'] < 210


def test_a_changed_setting_makes_its_stage_and_those_after_it_stale(tmp_path, data):
    run(options_of(tmp_path, data), FakeStages())
    changed = options_of(tmp_path, data, options={'segmentation.optim_wrapper.optimizer.lr': 0.5})
    found = states(changed)
    assert [name for name in NAMES if found[name] == 'stale'] == ['segmentation', 'final']
    assert 'optim_wrapper.optimizer.lr was 0.003, is 0.5' in reasons(changed)['segmentation']
    assert reasons(changed)['final'] == 'segmentation is another'
    stages = FakeStages()
    run(changed, stages)
    assert stages.done == ['segmentation', 'final']
    aside = sorted((tmp_path / 'replaced').iterdir())
    assert [path.name.split('-')[0] for path in aside] == ['final', 'segmentation']
    assert (aside[0] / 'predictions/a.png').is_file()
    # Taken back, it costs nothing: what was put aside is what is asked for.
    stages = FakeStages()
    former = run(options_of(tmp_path, data), stages)
    assert stages.done == []
    assert former['segmentation']['state'] == 'finished'
    assert set(states(options_of(tmp_path, data)).values()) == {'finished'}
    assert set(states(changed).values()) == {'finished', 'stale'}


def test_how_a_network_is_tested_does_not_touch_its_training(tmp_path, data):
    run(options_of(tmp_path, data), FakeStages())
    options = {'cam.tta_model.type': 'Other', 'cam.default_hooks.logger.interval': 7}
    found = states(options_of(tmp_path, data, options=options))
    assert found['cam'] == 'finished'
    assert found['train_seeds'] == 'stale'  # which takes the config of cam
    options = {'train_seeds.tta_model.scale': 2}
    found = states(options_of(tmp_path, data, options=options))
    assert [name for name in NAMES if found[name] == 'stale'] == [
        'train_seeds', 'val_seeds', 'masks', 'segmentation', 'final',
    ]  # fmt: skip


def test_changed_data_are_noticed_and_named(tmp_path):
    data = draw_toy_set(tmp_path / 'toy', num_train=4, num_val=2, size=48)
    run(options_of(tmp_path / 'work', data), FakeStages())
    names = data / 'ImageSets/Segmentation/val.txt'
    names.write_text(names.read_text().splitlines()[0] + '\n')
    found = reasons(options_of(tmp_path / 'work', data))
    assert found['cam'] == 'done'
    assert found['val_seeds'] == 'the list of val changed'
    tags = data / 'tags.csv'
    tags.write_text(tags.read_text() + 'more,\n')
    assert 'the tags changed' in reasons(options_of(tmp_path / 'work', data))['cam']
    assert 'the tags' not in reasons(options_of(tmp_path / 'work', data))['segmentation']


def test_files_that_no_stage_uses_change_nothing(tmp_path):
    data = draw_toy_set(tmp_path / 'toy', num_train=4, num_val=2, size=48)
    run(options_of(tmp_path / 'work', data), FakeStages())
    (data / 'JPEGImages/another.jpg').write_bytes(b'a picture in no list')
    (data / 'SegmentationClass/another.png').write_bytes(b'its mask')
    assert set(reasons(options_of(tmp_path / 'work', data)).values()) == {'done'}
    # A true mask is there to measure with: trainings stand when it changes.
    (data / 'SegmentationClass/train_00000.png').unlink()
    found = reasons(options_of(tmp_path / 'work', data))
    assert found['cam'] == 'done'
    assert found['train_seeds'] == 'the masks of train changed'
    assert found['val_seeds'] == 'train_seeds is another'


def test_files_of_the_user_that_go_into_a_training_are_noticed(tmp_path, data):
    masks, weights = tmp_path / 'my masks', tmp_path / 'start.pth'
    masks.mkdir()
    (masks / 'a.png').write_bytes(b'mask')
    whole_checkpoint(weights)
    initial = dict(type='Pretrained', checkpoint=str(weights))
    given = {'segmentation.mask_dir': str(masks), 'cam.model.backbone.init_cfg': initial}
    options = options_of(tmp_path / 'work', data, options=given)
    run(options, FakeStages())
    assert set(reasons(options).values()) == {'done'}
    (masks / 'a.png').write_bytes(b'mosk')  # of the same size
    os.utime(masks / 'a.png', (1, 1))
    found = reasons(options)
    assert found['segmentation'] == 'the files in mask_dir changed'
    assert found['final'] == 'segmentation is another'
    assert found['masks'] == found['cam'] == 'done'
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert reasons(options)['cam'] == 'the initial weights (start.pth) changed'


def test_tags_in_xml_files_are_read_not_only_measured(tmp_path):
    data = draw_toy_set(tmp_path / 'toy', num_train=4, num_val=2, size=48)
    classes = (data / 'classes.txt').read_text().split()
    text = '<annotation><object><name>{}</name></object></annotation>'
    (data / 'Annotations').mkdir()
    for path in (data / 'JPEGImages').glob('*.jpg'):
        (data / f'Annotations/{path.stem}.xml').write_text(text.format(classes[1]))
    options = options_of(tmp_path / 'work', data)
    options.data['tags'] = Path('Annotations')
    run(options, FakeStages())
    same_size = next(name for name in classes[2:] if len(name) == len(classes[1]))
    (data / 'Annotations/train_00000.xml').write_text(text.format(same_size))
    assert reasons(options)['cam'] == 'the tags changed'


def test_a_folder_of_the_user_is_never_taken_for_a_stage(tmp_path, data):
    (tmp_path / 'masks').mkdir()
    (tmp_path / 'masks/mine.png').write_text('mine')
    with pytest.raises(FileExistsError, match=r'masks: has mine.png and no manifest.json'):
        run(options_of(tmp_path, data), FakeStages())
    assert (tmp_path / 'masks/mine.png').read_text() == 'mine'


def test_pictures_of_both_lists_are_refused(tmp_path, data):
    options = options_of(tmp_path, data)
    options.data['val_list'] = Path('ImageSets/Segmentation/train.txt')
    with pytest.raises(ValueError, match=r'share pictures: 6 .first'):
        prepare(options)


def test_data_that_a_pipeline_names_are_not_guessed(tmp_path, data):
    options = options_of(tmp_path, data, options={'data.lists.train': 'trian.txt'})
    with pytest.raises(FileNotFoundError, match=r'data.lists.train: .*trian.txt not found'):
        prepare(options)


def own_folder(folder: Path, data: Path, masks: str | None) -> Path:
    """Two pictures and their tags; masks of names that start with ``masks``."""
    folder.mkdir()
    for name in ('train_00000', 'train_00001'):
        (folder / f'{name}.jpg').write_bytes((data / f'JPEGImages/{name}.jpg').read_bytes())
        if masks is not None:
            (folder / 'truth').mkdir(exist_ok=True)
            mask = (data / f'SegmentationClass/{name}.png').read_bytes()
            (folder / f'truth/{masks}{name}.png').write_bytes(mask)
    (folder / 'tags.csv').write_text('image,tags\ntrain_00000,dog\ntrain_00001,\n')
    return folder


def test_masks_of_other_names_are_refused(tmp_path, data):
    options = options_of(
        tmp_path / 'work', own_folder(tmp_path / 'a', data, 'm_'), 'ppc_seam_laptop'
    )
    options.data['masks'] = Path('truth')
    with pytest.raises(ValueError, match=r'none of its 2 masks .* has the name of a picture'):
        prepare(options)


def test_where_all_pictures_have_a_mask_one_stays_for_training(tmp_path, data):
    options = options_of(tmp_path / 'work', own_folder(tmp_path / 'a', data, ''), 'ppc_seam_laptop')
    options.data['masks'] = Path('truth')
    found = prepare(options)[1]
    assert {split: len(path.read_text().split()) for split, path in found.lists.items()} == {
        'train': 1, 'val': 1,
    }  # fmt: skip


def test_a_work_folder_below_the_pictures_does_not_make_them_others(tmp_path, data):
    folder = own_folder(tmp_path / 'a', data, None)
    options = options_of(folder / 'work', folder, 'ppc_seam_laptop')

    class Drawing(FakeStages):
        def make_masks(self, work, arguments):
            super().make_masks(work, arguments)
            (work / 'masks' / 'train_00000.png').write_text('mask')

    run(options, Drawing())
    assert set(reasons(options).values()) == {'done'}


def test_a_lost_output_is_made_again(tmp_path, data):
    run(options_of(tmp_path, data), FakeStages())
    (tmp_path / 'train_seeds/seeds/a.npz').unlink()
    assert reasons(options_of(tmp_path, data))['train_seeds'].endswith(
        'not all there any more: seeds (0 of 1)'
    )
    stages = FakeStages()
    run(options_of(tmp_path, data), stages)
    assert stages.done == ['train_seeds']  # the same in, the same out: what follows stands


def test_a_part_of_the_stages(tmp_path, data):
    stages = FakeStages()
    run(options_of(tmp_path, data, last='val_seeds'), stages)
    assert stages.done == NAMES[:3]
    with pytest.raises(ValueError, match=r'--from final: it takes what masks makes, which is new'):
        run(options_of(tmp_path, data, first='final'), stages)
    stages = FakeStages()
    run(options_of(tmp_path, data, first='masks', last='masks'), stages)
    assert stages.done == ['masks']
    with pytest.raises(ValueError, match="no stage 'mask' in this run, the stages are cam, "):
        run(options_of(tmp_path, data, first='mask'), stages)
    with pytest.raises(ValueError, match='comes after'):
        run(options_of(tmp_path, data, first='masks', last='cam'), stages)


def test_torchrun_for_several_processes(tmp_path, data):
    stages = FakeStages()
    with pytest.raises(ValueError, match='cam: a batch of 16 cannot be divided among 3 processes'):
        run(options_of(tmp_path, data, gpus=3), stages)
    # A batch that a later stage cannot divide is refused before the first one starts.
    later = options_of(
        tmp_path, data, gpus=4, options={'segmentation.train_dataloader.batch_size': 10}
    )
    for start in (lambda: run(later, stages), lambda: show_plan(later)):
        with pytest.raises(
            ValueError, match='segmentation: a batch of 10 cannot be divided among 4'
        ):
            start()
    assert stages.done == []
    run(options_of(tmp_path, data, gpus=4), stages)
    # All together take the steps that the config says, so that one process or four is the same run.
    config = Config.fromfile(str(tmp_path / 'cam/config.py'))
    assert config.train_dataloader.batch_size == 4
    assert set(states(options_of(tmp_path, data)).values()) == {'finished'}
    for command in stages.commands:
        several = 'make_masks' not in ' '.join(command)
        assert ('--nproc_per_node=4' in command) == several
        assert (command[-2:] == ['--launcher', 'pytorch']) == several


def test_a_stage_that_leaves_nothing_is_an_error(tmp_path, data):
    class Lazy(FakeStages):
        def train(self, work, arguments):
            (work / 'iter_1.pth').unlink()

    with pytest.raises(
        FileNotFoundError, match='cam: the command ended well and left no checkpoint'
    ):
        run(options_of(tmp_path, data), Lazy())
    assert states(options_of(tmp_path, data))['cam'] == 'resume'


def test_a_broken_manifest_is_named(tmp_path, data):
    run(options_of(tmp_path, data, last='cam'), FakeStages())
    path = tmp_path / 'cam/manifest.json'
    path.write_text('{')
    with pytest.raises(ValueError, match=r'manifest.json: not JSON'):
        prepare(options_of(tmp_path, data))
    path.write_text(json.dumps({'id': 'x'}))
    with pytest.raises(
        ValueError, match=r"fields \['state', 'settings', 'data', 'upstream'\] are missing"
    ):
        prepare(options_of(tmp_path, data))


def test_without_truth_the_default_threshold_counts_and_says_so(tmp_path, data):
    # A folder of pictures and tags: no lists, no masks, no classes.
    folder = tmp_path / 'my pictures'
    folder.mkdir()
    for name in ('train_00000', 'train_00001', 'val_00000'):
        (folder / f'{name} ü.jpg').write_bytes((data / f'JPEGImages/{name}.jpg').read_bytes())
    (folder / 'tags.csv').write_text(
        'image,tags\ntrain_00000 ü,traffic light;dog\ntrain_00001 ü.jpg,\nval_00000 ü,dog\n',
        encoding='utf-8',
    )
    stages = FakeStages()
    options = options_of(tmp_path / 'work', folder, 'ppc_seam_laptop')

    class NoTruth(FakeStages):
        def test(self, work, arguments):
            super().test(work, arguments)
            for path in work.glob('*_metric_*.json'):
                path.unlink()

    stages = NoTruth()
    manifests = run(options, stages)
    assert stages.done == ['cam', 'train_seeds', 'masks', 'segmentation', 'final']
    assert manifests['masks']['threshold'] == {
        'value': 0.49, 'source': 'default of the pipeline: no truth to choose by',
    }  # fmt: skip
    assert stages.commands[2][-2:] == ['--threshold', '0.49']
    assert (tmp_path / 'work/data/classes.txt').read_text().split('\n') == [
        'background', 'dog', 'traffic light', '',
    ]  # fmt: skip
    cam = Config.fromfile(str(tmp_path / 'work/cam/config.py'))
    assert cam.model.decode_head.num_classes == 3
    assert cam.train_cfg.max_iters == 136  # at least, however few the pictures
    assert cam.param_scheduler[0].end == 137
    seg = Config.fromfile(str(tmp_path / 'work/segmentation/config.py'))
    assert seg.model.decode_head.num_classes == 3
    assert seg.test_dataloader.dataset.ann_file == str(tmp_path / 'work/data/train.txt')
    assert len((tmp_path / 'work/data/train.txt').read_text().splitlines()) == 3
    assert set(states(options).values()) == {'finished'}


def test_a_threshold_whose_report_is_lost_is_not_replaced_by_the_default(tmp_path, data):
    options = options_of(tmp_path, data)
    run(options_of(tmp_path, data, last='val_seeds'), FakeStages())
    pipeline, _, steps = prepare(options)  # before the report is lost
    masks = next(step for step in steps if step.stage.name == 'masks')
    places = dict(tools=Path('tools'), work_dir=tmp_path)
    report = tmp_path / 'train_seeds/seed_metric_train.json'
    report.write_text(json.dumps({'best_threshold': None}))
    with pytest.raises(ValueError, match=r'best_threshold is missing, expected a number'):
        execute(pipeline, steps, masks, FakeStages(), **places)
    report.unlink()
    with pytest.raises(FileNotFoundError, match=r'best in train_seeds, and .* is not there; del'):
        execute(pipeline, steps, masks, FakeStages(), **places)
    assert states(options)['train_seeds'] == 'resume'
    manifests = run(options, FakeStages())
    assert manifests['masks']['threshold']['value'] == 0.31


def files_below(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob('*'))}


def test_a_dry_run_writes_nothing(tmp_path, data, capfd):
    work = tmp_path / 'work'
    toy = {'data.toy.num_train': 2, 'data.toy.num_val': 1, 'data.toy.size': 48}
    drawn = RunOptions(find_pipeline('ppc_seam_toy'), work, options=toy)
    own = own_folder(tmp_path / 'own', data, None)
    before = files_below(tmp_path)
    show_plan(drawn)
    assert capfd.readouterr().out.count('never started') == 7
    mine = options_of(work, own, 'ppc_seam_laptop')
    show_plan(mine)
    text = capfd.readouterr().out
    assert 'to be made from the folder and its tags: list of train (2 pictures;' in text
    assert files_below(tmp_path) == before
    # What it tells is what is: the same data, wherever they were made.
    run(mine, FakeStages(best=0.45))
    before = files_below(tmp_path)
    assert {step.state for step in show_plan(mine)} == {'finished'}
    assert files_below(tmp_path) == before
    with folder_lock(work / 'lock', 'test'):
        show_plan(mine)
    text = capfd.readouterr().out
    assert f'another process (started by process {os.getpid()}) is at work in {work}' in text


def test_names_with_blanks_around_them(tmp_path, data):
    folder = tmp_path / 'own'
    (folder / 'sub ').mkdir(parents=True)
    picture = (data / 'JPEGImages/train_00000.jpg').read_bytes()
    names = (' first', 'last ', 'sub / both ')
    for name in names:
        (folder / f'{name}.jpg').write_bytes(picture)
    rows = ' first.jpg,dog\nlast ,cat\nsub / both .jpg,dog\n'
    (folder / 'tags.csv').write_text(f'Image,Tags\n{rows}')
    found = prepare(options_of(tmp_path / 'work', folder, 'ppc_seam_laptop'))[1]
    dataset = TaggedImageDataset(
        data_prefix=dict(img_path=str(folder)),
        ann_file=str(found.lists['train']),
        tag_file=str(found.tags),
        classes_file=str(found.classes_file),
    )
    items = {item['sample_id']: item for item in map(dataset.get_data_info, range(len(dataset)))}
    assert {key: item['tags'].tolist() for key, item in items.items()} == {
        'first': [0, 1], 'last': [1, 0], 'sub / both': [0, 1],
    }  # fmt: skip
    assert {Path(item['img_path']).relative_to(folder).as_posix() for item in items.values()} == {
        f'{name}.jpg' for name in names
    }


def test_folders_that_a_config_would_fill_in_are_refused(tmp_path, data):
    folder = own_folder(tmp_path / '{{ fileDirname }}', data, None)
    message = r"'\{\{' in a path would be filled in by the configs; rename the folder"
    with pytest.raises(ValueError, match=message):
        prepare(options_of(tmp_path / 'work', folder, 'ppc_seam_laptop'))
    with pytest.raises(ValueError, match=message):
        prepare(options_of(tmp_path / '{{work}}', data))


def test_a_class_of_two_words_is_not_guessed(tmp_path, data):
    folder = own_folder(tmp_path / 'own', data, None)
    (folder / 'tags.csv').write_text('image,tags\ntrain_00000,guinea pig\ntrain_00001,\n')
    options = options_of(tmp_path / 'work', folder, 'ppc_seam_laptop')
    with pytest.raises(ValueError, match=r"line 2: is 'guinea pig' one class or 2\?"):
        prepare(options)
    (folder / 'names.txt').write_text('background\nguinea pig\n')
    options.data['classes'] = Path('names.txt')
    assert prepare(options)[1].classes() == ('background', 'guinea pig')


def test_iterations_cut_every_training_short(tmp_path, data):
    run(options_of(tmp_path, data, iters=5), FakeStages())
    for name in ('cam', 'segmentation'):
        cfg = Config.fromfile(str(tmp_path / name / 'config.py'))
        assert cfg.train_cfg.max_iters == 5
        assert cfg.param_scheduler[-1].end == 6
        assert cfg.default_hooks.checkpoint.interval == 5


def test_the_plan_as_a_table(tmp_path, data):
    _, _, steps = prepare(options_of(tmp_path, data))
    text = describe_plan(steps, steps[:2]).get_string()
    assert text.count('never started') == 6
    assert text.count(' run ') == 2
    assert not (tmp_path / 'cam').exists()


@pytest.mark.parametrize('path', sorted((project_folder() / 'configs/pipelines').glob('*.py')))
def test_every_pipeline_is_well_formed(path):
    pipeline = read_pipeline(path)
    assert pipeline.stages[0].do == 'train'
    assert pipeline.stages[-1].predictions
    for stage in pipeline.stages:
        assert stage.config.is_file()
        assert set(stage.references()) <= {item.name for item in pipeline.stages}


@pytest.mark.parametrize(
    ('stages', 'message'),
    [
        ("dict(a=dict(do='tran', config='c.py'))", r"stages.a.do: found 'tran', expected one of"),
        ("dict(a=dict(do='train'))", 'expected either config'),
        ("dict(a=dict(do='test', of='b'))", r"stages.a.of: found 'b', expected an earlier training: \[\]"),
        ("dict(a=dict(do='test'))", 'stages.a.of is missing'),
        ("dict(a=dict(do='train', config='none.py'))", 'no such file'),
        ("dict(a=dict(do='train', config='c.py', epoch=1))", r"unknown \['epoch'\]"),
        ("dict(a=dict(do='train', config='c.py', options=dict(x='{b.seeds}')))", r'reference \{b.seeds\}'),
        ("dict(A=dict(do='train', config='c.py'))", 'this name cannot be used'),
        ("dict(a=dict(do='train', config='c.py', split='tra'))", r"split: found \['tra'\]"),
        ("dict(a=dict(do='train', config='c.py', epochs='two'))", "epochs: found 'two', expected a number"),
        ("dict(a=5)", 'stages.a: found 5, expected a dict'),
        ("dict(a=dict(do='train', config='c.py', options=3))", 'options: found 3'),
        ("dict(a=dict(do='train', config='c.py', options=dict(x='{threshold*2}')))", r"found '\{threshold\*2\}', exp"),
        ("dict(a=dict(do='train', config='c.py', options=dict(x='at {threshold}')))", r"'\{threshold\}' alone"),
        ("dict(a=", 'not a config'),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_pipeline_is_said(tmp_path, stages, message):
    (tmp_path / 'c.py').write_text('x = 1\n')
    (tmp_path / 'p.py').write_text(f'stages = {stages}\n')
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_pipeline(tmp_path / 'p.py')


@pytest.mark.parametrize('value', [1.5, 0.7, 0.265, 'abc', True])
def test_a_default_threshold_is_one_of_those_that_are_swept(value):
    with pytest.raises(ValueError, match=r'threshold.default: found .* expected one of 0.00'):
        read_pipeline(find_pipeline('ppc_seam_toy'), {'threshold.default': value})


def test_options_that_go_nowhere_are_refused():
    with pytest.raises(ValueError, match="found 'cma', expected a stage"):
        read_pipeline(find_pipeline('ppc_seam_toy'), {'cma.x': 1})
    with pytest.raises(FileNotFoundError, match='expected a file, or one of cam_toy'):
        find_pipeline('nothing')


def test_a_stage_that_a_base_starts_from_runs_before_it(tmp_path):
    path = tmp_path / 'mine.py'
    configs = project_folder() / 'configs'
    lines = [
        f"_base_ = ['{configs}/pipelines/_base_/seeds_crf_deeplab.py']",
        "start = dict(_delete_=True, type='Pretrained', checkpoint='{first.checkpoint}')",
        'stages = dict(',
        f"    cam=dict(config='{configs}/cam_toy.py', options={{'model.backbone.init_cfg': start}}),",
        f"    segmentation=dict(config='{configs}/deeplab-largefov_resnet38_toy.py'),",
        f"    first=dict(do='train', config='{configs}/cam_toy.py'),",
        ')',
    ]
    path.write_text('\n'.join(lines))
    names = [stage.name for stage in read_pipeline(path).stages]
    assert names == ['first', 'cam', *NAMES[1:]]
    path.write_text(
        '\n'.join(lines).replace("do='train', ", "do='train', options=dict(x='{cam.folder}'), ")
    )
    with pytest.raises(ValueError, match=r'stages cam, .*first: each waits for another one'):
        read_pipeline(path)


def test_the_toy_networks_start_from_each_other(tmp_path, data):
    stages = FakeStages()
    options = options_of(tmp_path, data, 'ppc_seam_toy')
    run(options, stages)
    assert stages.done == ['pretraining', *NAMES]
    for stage, former in (('cam', 'pretraining'), ('segmentation', 'cam')):
        start = Config.fromfile(str(tmp_path / stage / 'config.py')).model.backbone.init_cfg
        assert start.type == 'Pretrained'
        assert Path(start.checkpoint).parent == tmp_path / former
    # The tests of a network are made of the same settings as its training, though these replace a whole dict.
    assert set(states(options).values()) == {'finished'}
