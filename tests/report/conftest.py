"""One work folder for all tests of the report; those that change it take a copy."""

import shutil

import pytest

from mmppc.report import write_report
from tests.report.work_folder import make_pipeline


@pytest.fixture(scope='session')
def finished(tmp_path_factory):
    """Work folder of a finished pipeline; not to be changed."""
    return make_pipeline(tmp_path_factory.mktemp('report'))


@pytest.fixture
def run_copy(finished, tmp_path):
    """A copy to change."""
    return shutil.copytree(finished, tmp_path / 'run')


@pytest.fixture(scope='session')
def page(finished, tmp_path_factory):
    """The page about it."""
    return write_report(finished, tmp_path_factory.mktemp('page') / 'report.html', workers=0)
