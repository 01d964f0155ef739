"""Jobs on folders: what is made again, what is refused, and ends of every kind."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import mmppc
from mmppc.refinement.folder_job import FolderJob, check_seeds, run_folder_job
from mmppc.refinement.records import PictureRecord, picture_records
from mmppc.storage import atomic_write, save_seed
from tests.utils.test_worker_pool import group_is_alive, wait_until

PALETTE = ((0, 0, 0), (128, 0, 0))


@dataclass(frozen=True)
class CountJob(FolderJob):
    """Writes the number of its pixels; gives up on a picture named ``fatal``, in various ways."""

    fatal: str = ''

    noun = 'counts'
    suffix = '.txt'

    def make(self, record, seed):
        with atomic_write(self.path(record), 'w') as file:
            file.write(str(seed.scores.size))
            if record.sample_id == self.fatal:
                file.flush()
                os._exit(1)

    def is_measured(self, record):
        return True

    def measure(self, record):
        return np.array([1, int(self.path(record).read_text())])


@pytest.fixture
def records(tmp_path):
    for number in range(6):
        scores = np.zeros((1, 2, 2 + number))
        save_seed(tmp_path / f'seeds/{number}.npz', scores, [1], num_classes=2)
    return [PictureRecord(str(number), 'none') for number in range(6)]


def run(records, folder, *, fatal='', setting=1, **change):
    given = {
        'details': {'note': 'x'},
        'figures': lambda counts: {'counts': None if counts is None else counts.tolist()},
        'workers': 0,
        'overwrite': False,
        'progress': False,
        **change,
    }
    job = CountJob(folder / 'seeds', folder / 'out', PALETTE, {'weights': None}, fatal)
    return run_folder_job(job, records, settings={'setting': setting}, **given)


def files(folder):
    return sorted(path.name for path in (folder / 'out').iterdir())


def test_report(records, tmp_path):
    report = run(records, tmp_path)
    assert report == {
        'setting': 1,
        'note': 'x',
        'pictures': 6,
        'evaluated': 0,
        'written': 6,
        'counts': [6, 2 * sum(range(2, 8))],
        'complete': True,
    }
    assert json.loads((tmp_path / 'out/counts.json').read_text()) == report


def test_a_dead_worker_leaves_whole_files_and_the_next_run_continues(records, tmp_path):
    with pytest.raises(ChildProcessError, match='use fewer workers'):
        run(records, tmp_path, fatal='4', workers=1)
    assert not json.loads((tmp_path / 'out/counts.json').read_text())['complete']
    made = [name for name in files(tmp_path) if name.endswith('.txt')]
    assert made == [f'{number}.txt' for number in range(4)]
    assert [(tmp_path / 'out' / name).read_text() for name in made] == ['4', '6', '8', '10']
    report = run(records, tmp_path)
    assert (report['written'], report['counts']) == (2, [6, 54])


def test_an_overwriting_run_that_was_stopped_does_not_keep_former_files(records, tmp_path):
    run(records, tmp_path)
    (tmp_path / 'seeds/1.npz').write_bytes(b'broken')
    with pytest.raises(ValueError, match=r'1\.npz: not a readable seed'):
        run(records, tmp_path, setting=2, overwrite=True)
    # The first file is of the new setting, and no other may pass for one.
    assert files(tmp_path) == ['0.txt', 'counts.json']
    with pytest.raises(FileExistsError, match='field setting: the counts there were made with 2'):
        run(records, tmp_path, setting=1)


def test_reuse_of_figures(records, tmp_path, monkeypatch):
    first = run(records, tmp_path, reuse=True)
    monkeypatch.setattr(CountJob, 'measure', lambda *_: pytest.fail('measured again'))
    assert run(records, tmp_path, reuse=True) == {**first, 'written': 0}
    assert json.loads((tmp_path / 'out/counts.json').read_text())['complete']
    monkeypatch.undo()
    assert run(records[:5], tmp_path, reuse=True)['counts'] == [5, 40]
    assert run(records[:5], tmp_path, reuse=True, details={})['counts'] == [5, 40]
    (tmp_path / 'out/3.txt').unlink()
    assert run(records[:5], tmp_path, reuse=True)['written'] == 1


def test_a_file_is_not_its_own_truth(records, tmp_path):
    own = [PictureRecord(item.sample_id, '', f'{tmp_path}/out/0.txt') for item in records]
    assert run(own, tmp_path)['evaluated'] == 5


def test_reports_of_others(records, tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/5.txt').write_text('mine')
    with pytest.raises(FileExistsError, match=r'out: holds counts but no counts\.json'):
        run(records, tmp_path)
    for text in ('{', '[1]', '3'):
        (tmp_path / 'out/counts.json').write_text(text)
        with pytest.raises(
            ValueError, match=r'counts\.json: not JSON .* delete it with its counts'
        ):
            run(records, tmp_path)
    assert (tmp_path / 'out/5.txt').read_text() == 'mine'


def test_missing_seeds(records, tmp_path):
    check_seeds(records, tmp_path / 'seeds')
    with pytest.raises(FileNotFoundError, match=r'nowhere: no such folder of seeds; test the netw'):
        check_seeds(records, tmp_path / 'nowhere')
    for number in range(1, 7):
        (tmp_path / f'seeds/{number}.npz').unlink(missing_ok=True)
    message = r"for 5 of 6 pictures: '1', '2', '3', '4', '5'; .* tools/test\.py CAM_CONFIG CHECKP"
    with pytest.raises(FileNotFoundError, match=message):
        check_seeds(records, tmp_path / 'seeds')
    with pytest.raises(ValueError, match='no pictures'):
        check_seeds([], tmp_path / 'seeds')


def test_seed_of_other_classes(records, tmp_path):
    save_seed(tmp_path / 'seeds/2.npz', np.zeros((0, 2, 2)), [], num_classes=3)
    with pytest.raises(ValueError, match=r'2\.npz: field num_classes: found 3, expected 2'):
        run(records, tmp_path)


def test_records_need_a_sample_id():
    class Dataset(list):
        get_data_info = list.__getitem__

    infos = [{'img_path': 'a.jpg', 'sample_id': 'a', 'seg_map_path': 'missing.png'}]
    assert picture_records(Dataset(infos)) == [PictureRecord('a', 'a.jpg', None)]
    with pytest.raises(
        ValueError, match=r'b\.jpg: no sample_id, expected a dataset that gives one'
    ):
        picture_records(Dataset([*infos, {'img_path': 'b.jpg'}]))


SCRIPT = """
    import sys, time, types
    from dataclasses import dataclass
    from pathlib import Path
    # The package without its registrations: nothing here needs them, and they take seconds to import.
    for name in ('mmppc', 'mmppc.refinement'):
        package = sys.modules[name] = types.ModuleType(name)
        package.__path__ = [str(Path(sys.argv[2], *name.split('.')[1:]))]
    import numpy as np
    from mmppc.refinement.folder_job import FolderJob, run_folder_job
    from mmppc.refinement.records import PictureRecord
    from mmppc.storage import atomic_write

    @dataclass(frozen=True)
    class SlowJob(FolderJob):
        noun = 'counts'
        suffix = '.txt'

        def make(self, record, seed):
            with atomic_write(self.path(record), 'w') as file:
                file.write(str(seed.scores.size))
                file.flush()
                time.sleep(0.01 if record.sample_id < '4' else 600)

        def measure(self, record):
            return np.ones(1)

    if __name__ == '__main__':
        folder = Path(sys.argv[1])
        run_folder_job(
            SlowJob(folder / 'seeds', folder / 'out', ((0, 0, 0), (128, 0, 0)), {}),
            [PictureRecord(str(number), 'none') for number in range(6)],
            settings={'setting': 1}, details={}, figures=lambda counts: {},
            workers=1, overwrite=False, progress=False,
        )
"""


@pytest.mark.skipif(os.name != 'posix', reason='process groups')
def test_ctrl_c_ends_at_once_and_the_next_run_continues(records, tmp_path):
    script = tmp_path / 'script.py'
    script.write_text(textwrap.dedent(SCRIPT))
    out = tmp_path / 'out'
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path), str(Path(mmppc.__file__).parent)],
        start_new_session=True,
        # A test started in the background would hand down that Ctrl-C is to be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: list(out.glob('*.tmp')) and len(list(out.glob('*.txt'))) == 4)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0
    wait_until(lambda: not group_is_alive(process.pid))
    assert files(tmp_path) == ['0.txt', '1.txt', '2.txt', '3.txt', 'counts.json']
    assert run(records, tmp_path)['written'] == 2


def test_seeds_of_several_networks_are_refused(records, tmp_path):
    scores = np.zeros((1, 2, 4))
    save_seed(tmp_path / 'seeds/2.npz', scores, [1], num_classes=2, meta={'weights': 'other'})
    with pytest.raises(
        ValueError, match=r"2\.npz: field meta\.weights: found 'other', expected None"
    ):
        run(records, tmp_path)
