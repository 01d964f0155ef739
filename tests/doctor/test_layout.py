"""Where the files are: a folder as it lies there, or what a config says."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmppc.doctor import Part, config_layout, folder_layout
from mmppc.utils.config_file import read_config

ROOT = Path(__file__).resolve().parents[2]


def test_voc_layout(folder):
    layout = folder_layout(folder.root)
    lists = folder.root / 'ImageSets' / 'Segmentation'
    assert [part.name for part in layout.parts] == ['train', 'val']
    assert layout.parts[0] == Part(
        'train',
        pictures=folder.root / 'JPEGImages',
        list_file=lists / 'train.txt',
        tags=folder.root / 'tags.csv',
        masks=folder.root / 'SegmentationClass',
        classes_file=folder.root / 'classes.txt',
    )
    assert layout.parts[1].list_file == lists / 'val.txt'


def test_a_free_folder(tmp_path):
    (tmp_path / 'Annotations').mkdir()
    layout = folder_layout(tmp_path)
    assert layout.parts == (Part('all', pictures=tmp_path, tags=tmp_path / 'Annotations'),)


def test_paths_of_the_user_below_the_folder_or_as_they_stand(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (folder.root / 'mine').mkdir()
    (folder.root / 'mine' / 'a.csv').write_text('image,tags\n')
    (tmp_path / 'names.txt').write_text('background\ncat\n')
    given = {'tags': Path('mine/a.csv'), 'classes': Path('names.txt'), 'masks': None}
    part = folder_layout(folder.root, given).parts[0]
    assert (part.tags, part.classes_file) == (folder.root / 'mine' / 'a.csv', Path('names.txt'))
    with pytest.raises(
        FileNotFoundError, match=r'--train-list: nope\.txt not found, neither below'
    ):
        folder_layout(folder.root, {'train_list': Path('nope.txt')})


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='data folder not found'):
        folder_layout(tmp_path / 'nowhere')


def test_a_config_whose_data_the_user_moves():
    cfg = read_config(
        str(ROOT / 'configs/ppc_seam_laptop.py'), {'data_root': '/d', 'tag_file': 'Annotations'}
    )
    layout = config_layout(cfg.to_dict(), 'ppc_seam_laptop.py')
    assert [part.name for part in layout.parts] == ['train, test', 'val']
    part = layout.parts[0]
    assert (part.pictures, part.tags) == (Path('/d/JPEGImages'), Path('/d/Annotations'))
    assert (part.masks, part.classes_file) == (Path('/d/SegmentationClass'), Path('/d/classes.txt'))
    assert part.list_file == Path('/d/ImageSets/Segmentation/train.txt')
    assert (layout.num_classes, layout.root, layout.optional) == (7, Path('/d'), False)
    assert layout.named_files == ()  # the weights come from a package


def test_a_config_that_needs_masks_and_weights():
    cfg = read_config(str(ROOT / 'configs/deeplab-largefov_resnet38_voc.py'), {'mask_dir': '/m'})
    layout = config_layout(cfg.to_dict(), 'c.py')
    train, val = layout.parts
    assert (train.name, train.masks, train.require_masks, train.tags) == (
        'train',
        Path('/m'),
        True,
        None,
    )
    assert (val.name, val.masks) == ('val, test', Path('data/VOCdevkit/VOC2012/SegmentationClass'))
    assert len(val.classes) == 21
    assert [(file.setting, file.path) for file in layout.named_files] == [
        ('init_cfg', Path('pretrained/resnet38.pth'))
    ]


def test_folders_that_transforms_read():
    cfg = read_config(str(ROOT / 'configs/psa_laptop.py'), {'seed_dir': '/s'})
    layout = config_layout(cfg.to_dict(), 'c.py')
    assert ('test_dataloader.LoadSeed.seed_dir', Path('/s')) in [
        (file.setting, file.path) for file in layout.named_files
    ]


def test_what_the_user_names_replaces_what_the_config_says(folder):
    cfg = Config.fromfile(str(ROOT / 'configs/ppc_seam_laptop.py'))
    given = {'tags': Path('tags.csv'), 'train_list': Path('ImageSets/Segmentation/val.txt')}
    layout = config_layout(cfg.to_dict(), 'c.py', root=folder.root, given=given)
    train, val = layout.parts
    assert train.tags == val.tags == folder.root / 'tags.csv'
    assert train.list_file == folder.root / 'ImageSets/Segmentation/val.txt'
    assert val.list_file == Path('data/voc6/ImageSets/Segmentation/val.txt')


def test_wrapped_and_foreign_datasets():
    inner = dict(type='mmseg.TaggedImageDataset', data_root='/d', metainfo=dict(classes=('b', 'c')))
    cfg = dict(
        train_dataloader=dict(
            dataset=dict(
                type='ConcatDataset', datasets=[inner, dict(type='RepeatDataset', dataset=inner)]
            )
        ),
        val_dataloader=dict(dataset=dict(type='CityscapesDataset')),
    )
    layout = config_layout(cfg, 'c.py')
    assert [part.pictures for part in layout.parts] == [Path('/d')]
    assert layout.others == ('val: CityscapesDataset',)
    del cfg['train_dataloader']
    with pytest.raises(
        ValueError, match='no data loader with a TaggedImageDataset, found val: City'
    ):
        config_layout(cfg, 'c.py')
