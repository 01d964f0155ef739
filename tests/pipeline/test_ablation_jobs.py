"""Several jobs at once."""

import threading

import pytest

from mmppc.pipeline.ablation_jobs import run_jobs


def test_jobs_run_side_by_side() -> None:
    meeting = threading.Barrier(3)  # passed only by three at once
    found = list(run_jobs(list('abcdef'), lambda item: meeting.wait() and None, 3))
    assert sorted(item for item, _ in found) == list('abcdef')
    assert {error for _, error in found} == {None}


def test_one_job_after_the_other_in_order() -> None:
    active: list[str] = []

    def work(item: str) -> None:
        assert active == []
        active.append(item)
        active.remove(item)

    assert list(run_jobs(list('abc'), work, 1)) == [('a', None), ('b', None), ('c', None)]
    assert list(run_jobs([], work, 2)) == []


def test_a_failing_job_does_not_stop_the_others() -> None:
    def work(item: int) -> None:
        if item == 1:
            raise ChildProcessError('one')
        if item == 2:
            raise SystemExit(3)

    found = dict(run_jobs(range(4), work, 2))
    assert found[0] is found[3] is None
    assert isinstance(found[1], ChildProcessError)
    assert isinstance(found[2], SystemExit)


def test_nothing_is_begun_once_the_caller_left() -> None:
    begun: list[int] = []
    hold = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item:
            hold.wait()

    jobs = run_jobs(range(10), work, 1)
    assert next(jobs) == (0, None)
    jobs.close()
    hold.set()
    assert begun in ([0], [0, 1])


def test_no_job_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match='jobs=0, expected at least 1'):
        next(run_jobs([1], print, 0))
