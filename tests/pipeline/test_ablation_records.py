"""Records of runs: what is read from their reports, and the CSV files."""

from pathlib import Path

import pytest

from mmppc.pipeline.ablation import execute, make_run
from mmppc.pipeline.ablation_records import (
    CLASS_FIELDS,
    FIELDS,
    check_fixed_threshold,
    holds,
    merge_records,
    read_records,
    record_run,
    write_records,
)
from mmppc.pipeline.ablation_rows import TABLES
from tests.pipeline.test_ablation import FakeStages, data  # noqa: F401
from tests.pipeline.test_ablation_table import RECORDS, record


@pytest.mark.parametrize('single_scale', [False, True])
def test_a_run_s_record(tmp_path: Path, data: Path, single_scale: bool) -> None:  # noqa: F811
    run = make_run(
        TABLES['5'].rows[-1], 'toy', 3, tmp_path, data_root=data, single_scale=single_scale
    )
    with pytest.raises(FileNotFoundError, match='run not finished'):
        record_run(run, 0.26)
    execute(run, FakeStages())
    found, classes = record_run(run, 0.26)
    assert tuple(found) == FIELDS
    expected = dict(
        dataset='toy', config='table5_pixel_sampling', seed=3, threshold=0.31, sweep_end=0.59, fixed_threshold=0.26,
        train_miou=50.5, train_fg_recall=70.0, train_bg_false_positives=20.0,
        val_miou=39.25, val_fg_recall=68.0, val_bg_false_positives=23.0,
        train_miou_fixed=45.5, train_fg_recall_fixed=80.0, train_bg_false_positives_fixed=30.0,
        val_miou_fixed=38.5, val_fg_recall_fixed=78.0, val_bg_false_positives_fixed=33.0,
        train_pictures=3, val_pictures=2, config_digest=run.digest,
        conditions='scales 1, no flip' if single_scale else 'scales 1 1.5, flip',
    )  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    assert found['seconds'] is not None
    assert 'torch' in found['versions']

    assert len(classes) == 2 * 2 * 3
    assert all(tuple(line) == CLASS_FIELDS for line in classes)
    assert {(line['config'], line['seed']) for line in classes} == {('table5_pixel_sampling', 3)}
    values = {
        (line['split'], line['kind'], line['class']): tuple(line.values())[6:] for line in classes
    }
    assert values['train', 'best', 'background'] == (75.0, None, None)
    assert values['train', 'best', 'dog'] == (36.5, None, 5.0)
    assert values['train', 'fixed', 'cat'] == (30.0, 81.0, 20.0)
    assert values['val', 'best', 'dog'] == (31.75, 67.0, 7.0)
    assert {line['threshold'] for line in classes if line['kind'] == 'best'} == {0.31}

    # Another fixed threshold is read from the same reports.
    other, _ = record_run(run, 0.31)
    assert other['val_miou_fixed'] == other['val_miou'] == 39.25
    with pytest.raises(ValueError, match=r'expected the threshold 0.4, found 2 others \(0.26 to'):
        record_run(run, 0.4)


def test_a_fixed_threshold_that_is_not_tried_is_refused(tmp_path: Path) -> None:
    run = make_run(TABLES['5'].rows[0], 'toy', 0, tmp_path)
    check_fixed_threshold(run, 0.26)
    with pytest.raises(ValueError, match=r'fixed threshold 0.7: expected .* 0 to 0.59 in 60'):
        check_fixed_threshold(run, 0.7)


def test_records_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / 'out' / 'runs.csv'
    assert read_records(path) == []
    write_records(path, RECORDS)
    assert read_records(path) == RECORDS
    assert path.read_text().count('\n') == 1 + len(RECORDS)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / 'runs.csv'
    path.write_text('row,seed\ncam,0\n')
    with pytest.raises(ValueError, match='expected the columns'):
        read_records(path)
    write_records(path, [record('table5_seam', 0, train_miou='much')])
    with pytest.raises(ValueError, match=r"line 2: train_miou='much', expected a number"):
        read_records(path)


def test_new_records_replace_former_ones_and_changed_configs_go() -> None:
    digests = {'table5_seam': 'of table5_seam', 'table6_k8': 'changed'}
    former = [line for line in RECORDS if holds(line, digests, 0.26)]
    assert not any(holds(line, digests, 0.3) for line in RECORDS)
    of_data = {'table5_seam': 'abc', 'table6_k8': 'abc'}
    assert [line for line in RECORDS if holds(line, digests, 0.26, of_data)] == former
    assert not any(holds(line, digests, 0.26, {'table5_seam': 'other'}) for line in RECORDS)
    new = [record('table5_seam', 1, train_miou=60.0), record('table5_seam', 5)]
    merged = merge_records(former, new, list(digests))
    assert [(r['config'], r['seed']) for r in merged] == [('table5_seam', s) for s in (0, 1, 2, 5)]
    assert merged[1]['train_miou'] == 60.0


def test_classes_go_with_their_run() -> None:
    def lines(seed: int, *values: float) -> list[dict]:
        names = ('background', 'cat')
        return [
            dict(
                config='table5_seam', seed=seed, split='train', kind='best', threshold=0.3,
                **{'class': name}, iou=value, recall=None, false_positives=1.0,
            )
            for name, value in zip(names, values)
        ]  # fmt: skip

    merged = merge_records([*lines(1, 3, 4), *lines(0, 1, 2)], lines(1, 5, 6), ['table5_seam'])
    assert [line['iou'] for line in merged] == [1, 2, 5, 6]


def test_classes_survive_the_file(tmp_path: Path) -> None:
    lines = [
        dict(zip(CLASS_FIELDS, ('table5_cam', 0, 'val', 'fixed', 0.26, 'big, cat', 1.5, None, 2.0)))
    ]
    write_records(tmp_path / 'classes.csv', lines, CLASS_FIELDS)
    assert read_records(tmp_path / 'classes.csv', CLASS_FIELDS) == lines
