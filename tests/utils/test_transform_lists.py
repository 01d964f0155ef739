"""What the data pipelines of the configs amount to."""

import pytest

from mmppc.utils.config_file import read_config
from mmppc.utils.runner import use_tta
from mmppc.utils.transform_lists import augmentation, check_crops
from tests.utils.shipped import CONFIGS, read


@pytest.mark.parametrize(
    ('name', 'tta', 'expected'),
    [
        ('cam_voc', True, dict(scales=[0.5, 1.0, 1.5, 2.0], flip=True)),
        ('cam_voc', False, dict(scales=[1.0], flip=False)),
        ('ppc_seam_toy', True, dict(scales=[1.0, 1.5], flip=True)),
        ('cam_laptop', True, dict(long_sides=[320, 512], flip=True)),
        ('cam_laptop', False, dict(long_sides=[320], flip=False)),
        (
            'deeplab-largefov_resnet38_voc',
            True,
            dict(scales=[0.5, 0.75, 1.0, 1.25, 1.5, 1.75], flip=True),
        ),
    ],
)
def test_augmentation_is_that_of_the_pipeline(name, tta, expected):
    cfg = read(name)
    if tta:
        use_tta(cfg)
    assert augmentation(cfg.test_dataloader.dataset.pipeline) == expected


def test_crops_that_would_be_padded_are_refused():
    path = str(CONFIGS / 'ppc_seam_toy.py')
    crop = {'train_dataloader.dataset.pipeline.4.crop_size': 64}
    with pytest.raises(ValueError, match=r'crop_size=64 is smaller than .*size=\(112, 112\)'):
        check_crops(read_config(path, crop))
    with pytest.raises(ValueError, match='set both alike'):
        check_crops(read_config(path, {'train_dataloader.dataset.pipeline.4.crop_size': (112, 64)}))
    check_crops(read_config(path, {**crop, 'model.data_preprocessor.size': (64, 64)}))


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*.py')), ids=lambda path: path.stem)
def test_no_config_pads_its_crops(path):
    check_crops(read_config(str(path)))
