"""SeedGenerationHook with SeedMetric: what is written, what is not run again, and two ranks."""

import multiprocessing
import os

import numpy as np
import pytest
import torch

from mmppc.storage import load_seed
from tests.hooks import seed_run

NAMES = [f'set {k % 2}/{k}' for k in range(seed_run.PICTURES)]


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_seeds_hold_the_tagged_classes(tmp_path):
    figures, runs = seed_run.run(tmp_path, meta={'scales': (0.5, 1.0), 'flip': True})
    assert runs == NAMES
    seeds = seed_run.stored(tmp_path)
    assert sorted(seeds) == sorted(NAMES)
    for number, name in enumerate(NAMES):
        item = seed_run.NumberedPictures().prepare_data(number)
        tags = item['data_samples'].gt_tags.label.numpy()
        seed = seeds[name]
        assert seed.classes.tolist() == (np.flatnonzero(tags) + 1).tolist()
        assert seed.size == (6, 8 + number)
        expected = item['inputs'].numpy()[seed.classes - 1].astype(np.float16)
        np.testing.assert_array_equal(seed.scores, expected)
        assert seed.meta['sample_id'] == name
        assert seed.meta['scales'] == [0.5, 1.0]
        assert seed.meta['flip'] is True
        assert seed.meta['size'] == [6, 8 + number]
    assert seeds[NAMES[3]].classes.tolist() == []
    assert figures['seed/pictures'] == 6
    assert figures['seed/skipped'] == 1
    assert not list((tmp_path / 'seeds').rglob('*.tmp'))


def test_an_interrupted_run_continues_with_the_same_figures(tmp_path):
    whole, _ = seed_run.run(tmp_path / 'whole')
    with pytest.raises(KeyboardInterrupt):
        seed_run.run(tmp_path, fail_at='/5')
    assert sorted(seed_run.stored(tmp_path)) == sorted(NAMES[:4])
    figures, runs = seed_run.run(tmp_path)
    assert runs == NAMES[4:]
    assert figures == whole
    figures, runs = seed_run.run(tmp_path, workers=1)
    assert runs == []
    assert figures == whole


def test_without_metrics(tmp_path):
    assert seed_run.run(tmp_path, metrics=False) == ({}, NAMES)
    (tmp_path / 'seeds' / f'{NAMES[2]}.npz').unlink()
    assert seed_run.run(tmp_path, metrics=False) == ({}, NAMES[2:3])


def test_the_default_folder_is_in_the_work_folder(tmp_path):
    seed_run.run(tmp_path, metrics=False, out_dir=None)
    assert sorted(seed_run.stored(tmp_path / 'work')) == sorted(NAMES)


def test_broken_seeds_are_made_again(tmp_path):
    seed_run.run(tmp_path, metrics=False)
    path = tmp_path / 'seeds' / f'{NAMES[1]}.npz'
    path.write_bytes(path.read_bytes()[:100])
    assert seed_run.run(tmp_path, metrics=False)[1] == NAMES[1:2]
    assert load_seed(path).size == (6, 9)


@pytest.mark.parametrize(
    'change', [{'gain': 0.5}, {'meta': {'flip': False}}, {'overwrite': True}, {'picture_seed': 1}]
)
def test_seeds_of_other_origin_are_made_again(tmp_path, change):
    seed_run.run(tmp_path)
    figures, runs = seed_run.run(tmp_path, **change)
    assert runs == NAMES
    assert figures == seed_run.run(tmp_path / 'fresh', **change)[0]


def test_changed_tags(tmp_path, monkeypatch):
    seed_run.run(tmp_path, metrics=False)
    monkeypatch.setattr(seed_run, 'TAGLESS', 4)
    assert seed_run.run(tmp_path, metrics=False)[1] == NAMES[3:5]
    seeds = seed_run.stored(tmp_path)
    assert seeds[NAMES[4]].classes.tolist() == []
    assert seeds[NAMES[3]].classes.tolist() == [1, 2]


def test_wrong_input(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r'set 0/0\.npz: scores span .*expected finite values'):
        seed_run.run(tmp_path, gain=float('nan'), metrics=False)
    monkeypatch.setattr(seed_run, 'SAMPLE_ID', '')
    with pytest.raises(ValueError, match='picture none has no sample_id'):
        seed_run.run(tmp_path / 'b')


def run_rank(rank, world, folder, queue):
    os.chdir(folder)
    torch.set_num_threads(1)
    method = f'file://{folder}/store'
    torch.distributed.init_process_group('gloo', init_method=method, rank=rank, world_size=world)
    first = seed_run.run(folder, keep_log=True)[0]
    torch.distributed.barrier()
    if rank == 0:
        for name in NAMES[2:5]:
            (folder / 'seeds' / f'{name}.npz').unlink()
    torch.distributed.barrier()
    second = seed_run.run(folder, keep_log=True)[0]
    queue.put((rank, first, second))
    torch.distributed.barrier()
    torch.distributed.barrier()  # PyTorch 2.1 may hang where a group ends while a collective holds a tensor
    torch.distributed.destroy_process_group()


def test_two_ranks_cover_every_picture_once(tmp_path):
    alone, _ = seed_run.run(tmp_path / 'alone')
    expected = seed_run.stored(tmp_path / 'alone')
    context = multiprocessing.get_context('spawn')
    queue = context.Queue()
    ranks = [context.Process(target=run_rank, args=(rank, 2, tmp_path, queue)) for rank in range(2)]
    for process in ranks:
        process.start()
    found = [queue.get(timeout=120) for _ in ranks]
    for process in ranks:
        process.join(60)
        assert process.exitcode == 0
    for _, first, second in found:
        assert first == alone
        assert second == alone
    # Seven pictures on two ranks, none padded; then the three whose seeds were removed.
    runs = (tmp_path / 'runs.txt').read_text().split('\n')[:-1]
    assert sorted(runs[:7]) == sorted(NAMES)
    assert sorted(runs[7:]) == sorted(NAMES[2:5])
    seeds = seed_run.stored(tmp_path)
    assert seeds.keys() == expected.keys()
    for name, seed in seeds.items():
        np.testing.assert_array_equal(seed.dense(), expected[name].dense())
