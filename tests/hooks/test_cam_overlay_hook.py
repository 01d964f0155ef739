"""CAMOverlayHook: what it draws, and that the training does not notice."""

import importlib.util
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmppc.datasets import draw_toy_set
from mmppc.hooks import CAMOverlayHook
from mmppc.utils.model_digest import weights_digest
from tests.hooks import cam_training
from tests.hooks.cam_training import train


def config(root: Path, work: Path, iters: int = 4, hook: dict | None = None, **changes) -> Config:
    hooks = [] if hook is None else [dict(type='CAMOverlayHook', **hook)]
    return cam_training.config(root, work, iters, hooks, **changes)


@pytest.fixture(scope='module')
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_toy_set(tmp_path_factory.mktemp('overlay') / 'toy', num_train=5, num_val=2, size=64)


def drawn(work: Path) -> list[str]:
    return sorted(path.name for path in work.glob('*/vis_data/vis_image/*.png'))


def test_pictures_of_the_training_are_drawn_in_time_and_at_the_end(
    toy: Path, tmp_path: Path
) -> None:
    runner = train(config(toy, tmp_path, 5, dict(interval=2, num_pictures=3)))
    dataset = runner.train_dataloader.dataset
    names = [dataset.get_data_info(k)['sample_id'] for k in (0, 2, 4)]
    assert drawn(tmp_path) == sorted(
        f'cam_{name}_{step}.png' for name in names for step in (2, 4, 5)
    )
    info = dataset.get_data_info(0)
    picture = np.array(Image.open(info['img_path']).convert('RGB'))
    height, width = (round(side * 320 / max(picture.shape[:2])) for side in picture.shape[:2])
    panels = 1 + int(info['tags'].sum())
    first, last = (
        np.array(Image.open(next(tmp_path.rglob(f'cam_{names[0]}_{step}.png')))) for step in (2, 5)
    )
    assert first.shape == last.shape
    assert first.shape[1] == 6 + (panels if panels <= 3 else 2) * (width + 6)
    rows = slice(26, 26 + height)
    shown, heat = slice(6, 6 + width), slice(12 + width, 12 + 2 * width)
    mean = first[rows, shown].mean(axis=(0, 1))
    assert np.abs(mean - picture.mean(axis=(0, 1))).max() < 2  # the picture itself comes first
    # The maps change with the network, the picture does not.
    assert (first[rows, shown] == last[rows, shown]).all()
    assert (first[rows, heat] != last[rows, heat]).any()


def test_training_is_the_same_to_the_last_bit(toy: Path, tmp_path: Path) -> None:
    plain = train(config(toy, tmp_path / 'plain'))
    with_hook = train(config(toy, tmp_path / 'hook', hook=dict(interval=1)))
    assert len(drawn(tmp_path / 'hook')) == 4 * 4
    found, expected = with_hook.model.state_dict(), plain.model.state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    modes = [module.training for module in with_hook.model.modules()]
    assert modes == [module.training for module in plain.model.modules()]
    assert True in modes
    assert False in modes  # the frozen stages
    other = train(config(toy, tmp_path / 'other', randomness=dict(seed=4)))
    assert weights_digest(other.model) != weights_digest(
        plain.model
    )  # random numbers do matter here


def test_given_pictures_with_and_without_tags(toy: Path, tmp_path: Path) -> None:
    picture = tmp_path / 'my pictures' / 'Käse 1.png'
    picture.parent.mkdir()
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(picture)
    tags = tmp_path / 'tags.csv'
    tags.write_text('image,tags\nKäse 1,\n', encoding='utf-8')
    given = dict(pictures=[str(picture)], tag_file=str(tags))
    train(config(toy, tmp_path / 'a', 1, given))
    assert drawn(tmp_path / 'a') == ['cam_Käse 1_1.png']
    sheet = np.array(Image.open(next((tmp_path / 'a').rglob('cam_*.png'))))
    assert sheet.shape[1] == 6 + 326  # the picture alone: it has no tag
    train(config(toy, tmp_path / 'b', 1, dict(pictures=[str(picture)])))
    sheet = np.array(Image.open(next((tmp_path / 'b').rglob('cam_*.png'))))
    assert sheet.shape[1] >= 6 + 2 * 326  # and at least the likeliest tag


def test_a_network_that_has_diverged_is_drawn(toy: Path, tmp_path: Path) -> None:
    cfg = config(toy, tmp_path, 1, dict(num_pictures=1))
    runner = Runner.from_cfg(cfg)
    with torch.no_grad():
        for parameter in runner.model.decode_head.parameters():
            parameter.fill_(float('nan'))
    runner.train()
    assert len(drawn(tmp_path)) == 1


def test_wrong_settings_are_refused(toy: Path, tmp_path: Path) -> None:
    for name in ('interval', 'num_pictures'):
        with pytest.raises(ValueError, match=f'CAMOverlayHook: {name}=0'):
            CAMOverlayHook(**{name: 0})
    with pytest.raises(ValueError, match="split='test', expected 'train' or 'val'"):
        CAMOverlayHook(split='test')
    with pytest.raises(ValueError, match='tag_file is for pictures'):
        CAMOverlayHook(tag_file='tags.csv')
    with pytest.raises(ValueError, match="split='val' has no data set in this training"):
        train(config(toy, tmp_path, 1, dict(split='val')))
    with pytest.raises(FileNotFoundError, match=r'no\.jpg: no such picture'):
        train(config(toy, tmp_path, 1, dict(pictures=['no.jpg'])))
    tags = tmp_path / 'tags.csv'
    tags.write_text('image,tags\nother,\n', encoding='utf-8')
    picture = str(next((toy / 'JPEGImages').glob('*.jpg')))
    with pytest.raises(ValueError, match=r'tags\.csv: no tags for picture'):
        train(config(toy, tmp_path, 1, dict(pictures=[picture], tag_file=str(tags))))
    with pytest.raises(ValueError, match='the model is a Linear, expected a CAMSegmentor'):
        CAMOverlayHook().before_train(SimpleNamespace(model=torch.nn.Linear(1, 1)))


@pytest.mark.skipif(
    importlib.util.find_spec('tensorboard') is None, reason='TensorBoard is not installed'
)
def test_tensorboard_needs_a_config_line_only(toy: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
    train(config(toy, tmp_path, 2, dict(interval=2, num_pictures=2), vis_backends=backends))
    (events,) = tmp_path.rglob('events.out.tfevents.*')
    found = EventAccumulator(str(events), size_guidance=dict(images=0))
    found.Reload()
    local = drawn(tmp_path)
    assert sorted(f'{tag}_2.png' for tag in found.Tags()['images']) == local
    assert [event.step for event in found.Images(found.Tags()['images'][0])] == [2]
    assert 'loss' in found.Tags()['scalars']


def run_rank(rank: int, root: str, folder: str, hook: dict | None) -> None:
    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = str(rank)  # MMEngine asks for it
    store = f'file://{folder}/store{hook is None}'
    dist.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    wrapper = dict(
        type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
        find_unused_parameters=True,
    )  # fmt: skip
    name = 'plain' if hook is None else 'hook'
    cfg = config(
        Path(root), Path(folder, name), 3, hook, launcher='pytorch', model_wrapper_cfg=wrapper,
        experiment_name=f'{name}{rank}',
    )  # fmt: skip
    runner = train(cfg)
    digest = weights_digest(runner.model.module)
    Path(folder, f'{name}{rank}').write_text(digest, encoding='utf-8')
    dist.destroy_process_group()


@pytest.mark.slow
def test_the_first_of_two_processes_draws(toy: Path, tmp_path: Path) -> None:
    for hook in (None, dict(interval=1, num_pictures=2)):
        mp.spawn(run_rank, args=(str(toy), str(tmp_path), hook), nprocs=2)
    assert len(drawn(tmp_path / 'hook')) == 2 * 3
    for rank in range(2):
        assert (tmp_path / f'hook{rank}').read_text() == (tmp_path / f'plain{rank}').read_text()
