"""ContrastQualityHook: what it records, and that the training does not notice."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.runner import Runner

from mmppc.datasets import draw_toy_set
from mmppc.datasets.transforms import LoadIndexMask
from mmppc.functional.cam import min_max_normalize, pseudo_labels
from mmppc.hooks import ContrastQualityHook
from mmppc.hooks.contrast_inspection import gradient_norms, last_trainable
from mmppc.storage.contrast_quality import NAME, read_evaluations
from mmppc.utils.model_digest import weights_digest
from mmppc.utils.randomness import seeded
from tests.hooks import cam_training
from tests.hooks.cam_training import train


@pytest.fixture(scope='module')
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_toy_set(tmp_path_factory.mktemp('quality') / 'toy', num_train=5, num_val=4, size=64)


def config(root: Path, work: Path, iters: int = 4, hook: dict | None = None, **changes) -> Config:
    """A training whose pictures have masks, which it does not read."""
    hooks = [] if hook is None else [dict(type='ContrastQualityHook', split='train', **hook)]
    cfg = cam_training.config(root, work, iters, hooks, **changes)
    cfg.train_dataloader.dataset.data_prefix.seg_map_path = 'SegmentationClass'
    return cfg


def record(work: Path) -> list[dict]:
    return [json.loads(line) for line in (work / NAME).read_text(encoding='utf-8').splitlines()]


def test_training_is_the_same_to_the_last_bit(toy: Path, tmp_path: Path) -> None:
    plain = train(config(toy, tmp_path / 'plain'))
    watched = train(config(toy, tmp_path / 'hook', hook=dict(interval=1)))
    assert [line['iteration'] for line in record(tmp_path / 'hook')] == [0, 1, 2, 3, 4]
    found, expected = watched.model.state_dict(), plain.model.state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    momenta = [r.optim_wrapper.optimizer.state_dict()['state'] for r in (watched, plain)]
    for key, value in momenta[1].items():
        assert torch.equal(momenta[0][key]['momentum_buffer'], value['momentum_buffer'])
    modes = [module.training for module in watched.model.modules()]
    assert modes == [module.training for module in plain.model.modules()]
    assert {True, False} == set(modes)
    other = train(config(toy, tmp_path / 'other', randomness=dict(seed=4)))
    assert weights_digest(other.model) != weights_digest(plain.model)  # random numbers do matter


def test_figures_are_those_of_the_network_on_the_pictures(toy: Path, tmp_path: Path) -> None:
    runner = train(config(toy, tmp_path, 3, dict(interval=2, num_pictures=5)))
    lines = record(tmp_path)
    assert [line['iteration'] for line in lines] == [0, 2, 3]
    last = lines[-1]
    network, dataset = runner.model, runner.train_dataloader.dataset
    assert last['classes'] == list(dataset.metainfo['classes'])
    # Two whole batches of two, from first to last.
    assert (last['pictures'], last['batch_size'], last['split']) == (4, 2, 'train')
    transforms = list(dataset.pipeline.transforms)
    load = Compose([transforms[0], LoadIndexMask(), *transforms[1:]])
    right, known, norms = [0, 0], [0, 0], {}
    for module in network.modules():
        module.training = False
    for first in (0, 2):
        items = []
        for number in (first, first + 1):
            with seeded(0, number):
                items.append(load(dataset.get_data_info(round(number * 4 / 3))))
        data = network.data_preprocessor(pseudo_collate(items), True)
        inputs, samples = data['inputs'], data['data_samples']
        tags = torch.stack([sample.gt_tags.label for sample in samples])
        truth = torch.stack([sample.gt_sem_seg.data[0] for sample in samples])
        with torch.no_grad():
            views = network.forward_views(inputs)
        grid = views[1].logits.shape[-2:]
        assert last['grid'] == list(grid)
        for k, cams in enumerate((views[1].warp(views[0].logits, grid), views[1].logits)):
            labels = pseudo_labels(min_max_normalize(cams), tags, 0.2)
            one_hot = (truth[:, None] == torch.arange(network.num_classes)[:, None, None]).float()
            maps = torch.nn.functional.interpolate(
                one_hot, size=tuple(grid), mode='bilinear', align_corners=True
            )
            cells = torch.where(maps.sum(dim=1) < 0.5, 255, maps.argmax(dim=1))
            right[k] += int((cells == labels).sum())
            known[k] += int((cells != 255).sum())
        if first == 0:
            with seeded(0, 0, 2):  # of the intra term's sampling
                norms = gradient_norms(network, inputs, samples)
    assert last['label_accuracy'] == pytest.approx(sum(right) / sum(known))
    assert [view['label_accuracy'] for view in last['views']] == pytest.approx(
        [r / n for r, n in zip(right, known)]
    )
    assert last['gradients'] == pytest.approx(norms)
    assert 0 < last['true_foreground'] < 1
    assert len(last['prototype_similarity']) == network.num_classes
    scalars = [
        json.loads(line)
        for line in next(tmp_path.glob('*/vis_data/scalars.json')).read_text().splitlines()
    ]
    shown = {line['step']: line for line in scalars if 'contrast/label_accuracy' in line}
    assert list(shown) == [0, 2, 3]
    assert shown[3]['contrast/label_accuracy'] == pytest.approx(last['label_accuracy'])
    assert shown[3]['contrast/gradient_contrast'] == pytest.approx(norms['contrast'])
    assert shown[3]['contrast/gradient_intra'] == pytest.approx(norms['loss_intra'])


def test_gradient_norms_are_those_of_the_backward_pass(toy: Path, tmp_path: Path) -> None:
    runner = Runner.from_cfg(config(toy, tmp_path, 1))
    network = runner.model
    data = network.data_preprocessor(next(iter(runner.train_dataloader)), True)
    for module in network.modules():
        module.training = False
    network.loss_scales['contrast'] = 0.5
    with seeded(7):
        found = gradient_norms(network, data['inputs'], data['data_samples'])
    assert all(parameter.grad is None for parameter in network.parameters())
    assert network.losses.contrast.options.sync_prototypes
    weight = last_trainable(network.backbone)
    assert weight is not None
    assert weight.dim() == 4
    for names, key in (
        (['loss_tags'], 'tags'),
        (['loss_intra'], 'loss_intra'),
        (['loss_cross_prototype', 'loss_cross_cam', 'loss_intra'], 'contrast'),
    ):
        network.zero_grad()
        with seeded(7):
            losses = network.loss(data['inputs'], data['data_samples'])
        sum(losses[name] for name in names).backward()
        assert weight.grad.norm().item() == pytest.approx(found[key], rel=1e-5)
        assert found[key] > 0
    assert set(found) == {
        'tags', 'contrast', 'loss_cross_prototype', 'loss_cross_cam', 'loss_intra',
    }  # fmt: skip


def test_a_resumed_training_continues_the_record(toy: Path, tmp_path: Path) -> None:
    hook = dict(interval=1, num_pictures=4, gradients=False)
    checkpoints = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2))
    train(config(toy, tmp_path, 3, hook, default_hooks=checkpoints))
    before = record(tmp_path)
    assert [line['iteration'] for line in before] == [0, 1, 2, 3]
    assert before[0]['gradients'] == {}
    train(config(toy, tmp_path, 4, hook, resume=True, load_from=str(tmp_path / 'iter_2.pth')))
    after = record(tmp_path)
    assert [line['iteration'] for line in after] == [0, 1, 2, 3, 4]
    assert after[:3] == before[:3]
    train(config(toy, tmp_path, 1, hook))  # a new training
    assert [line['iteration'] for line in record(tmp_path)] == [0, 1]
    (tmp_path / NAME).write_text('{"iteration": 1}\n{"iter', encoding='utf-8')
    with pytest.raises(ValueError, match=rf'{NAME}, line 2: not JSON'):
        read_evaluations(tmp_path / NAME)


def test_pictures_of_the_validation_other_data_and_moving_views(toy: Path, tmp_path: Path) -> None:
    hook = dict(type='ContrastQualityHook', interval=9, num_pictures=9)
    cfg = config(toy, tmp_path / 'val', 1)
    data = cfg.train_dataloader.dataset.to_dict()
    data.update(ann_file='ImageSets/Segmentation/val.txt', pipeline=cam_training.TEST)
    cfg.custom_hooks = [hook]
    cfg.val_dataloader = dict(
        batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler'), dataset=data
    )
    cfg.val_cfg, cfg.val_evaluator = dict(type='ValLoop'), dict(type='TagMetric')
    cfg.model.view = dict(type='RotateView', degrees=(-20, 20))
    train(cfg)
    own = config(toy, tmp_path / 'own', 1)
    own.model.view = cfg.model.view
    data.pop('pipeline')
    own.custom_hooks = [{**hook, 'dataset': data}]
    train(own)
    first, second = record(tmp_path / 'val'), record(tmp_path / 'own')
    assert [line['split'] for line in first + second] == ['val', 'val', 'own', 'own']
    for a, b in zip(first, second):
        assert a['pictures'] == 4
        assert {**a, 'split': 'own'} == b  # the rotations too


def test_a_network_that_has_diverged_does_not_end_the_training(toy: Path, tmp_path: Path) -> None:
    cfg = config(toy, tmp_path, 1, dict(num_pictures=2))
    cfg.optim_wrapper.optimizer.lr = 1e38
    train(cfg)
    before, after = record(tmp_path)
    assert before['cosine_own'] > 0
    assert before['gradients']['contrast'] > 0
    assert after['cosine_own'] is None
    assert after['gradients']['contrast'] is None


def test_wrong_settings_are_refused(toy: Path, tmp_path: Path) -> None:
    for name in ('interval', 'num_pictures', 'batch_size'):
        with pytest.raises(ValueError, match=f'ContrastQualityHook: {name}=0'):
            ContrastQualityHook(**{name: 0})
    with pytest.raises(ValueError, match="split='test', expected 'train' or 'val'"):
        ContrastQualityHook(split='test')
    cfg = config(toy, tmp_path, 1, {})
    cfg.custom_hooks[0].split = 'val'
    with pytest.raises(ValueError, match="split='val' has no data set in this training"):
        train(cfg)
    cfg = config(toy, tmp_path, 1, {})
    cfg.train_dataloader.dataset.data_prefix.pop('seg_map_path')
    with pytest.raises(ValueError, match='0 of 5 pictures have a mask and tags'):
        train(cfg)
    with pytest.raises(ValueError, match='expected at least batch_size=6'):
        train(config(toy, tmp_path, 1, dict(batch_size=6)))
    cfg = config(toy, tmp_path, 1, {})
    cfg.model.losses.contrast = None
    with pytest.raises(ValueError, match=r'has 0 PixelPrototypeContrastLoss .*expected one'):
        train(cfg)
    with pytest.raises(ValueError, match='the model is a Linear, expected a CAMSegmentor'):
        ContrastQualityHook().before_train(SimpleNamespace(model=torch.nn.Linear(1, 1)))


def run_rank(rank: int, root: str, folder: str, hook: dict | None) -> None:
    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = str(rank)  # MMEngine asks for it
    store = f'file://{folder}/store{hook is None}'
    dist.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    name = 'plain' if hook is None else 'hook'
    cfg = config(
        Path(root), Path(folder, name), 2, hook, launcher='pytorch', model_wrapper_cfg=wrapper,
        experiment_name=f'{name}{rank}',
    )  # fmt: skip
    cfg.train_dataloader.batch_size = 1
    runner = train(cfg)
    digest = weights_digest(runner.model.module)
    Path(folder, f'{name}{rank}').write_text(digest, encoding='utf-8')
    dist.destroy_process_group()


def flat(value) -> list:
    """All numbers in nested figures."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in flat(item)]
    return [value] if isinstance(value, (int, float)) else []


@pytest.mark.slow
def test_the_first_of_two_processes_looks_at_their_joined_batch(toy: Path, tmp_path: Path) -> None:
    hook = dict(interval=1, num_pictures=4)
    for given in (None, hook):
        mp.spawn(run_rank, args=(str(toy), str(tmp_path), given), nprocs=2)
    for rank in range(2):
        assert (tmp_path / f'hook{rank}').read_text() == (tmp_path / f'plain{rank}').read_text()
    shared = record(tmp_path / 'hook')
    assert [line['iteration'] for line in shared] == [0, 1, 2]
    train(config(toy, tmp_path / 'one', 1, hook))  # one process, pictures in twos
    alone = record(tmp_path / 'one')
    gradients = shared[0].pop('gradients'), alone[0].pop('gradients')
    numbers = [flat(line) for line in (shared[0], alone[0])]
    assert len(numbers[0]) > 100
    assert numbers[0] == pytest.approx(numbers[1], abs=1e-5)
    assert gradients[0] != pytest.approx(gradients[1])  # of one picture and of two
