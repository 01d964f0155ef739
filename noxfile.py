"""Sessions in environments of their own: `nox` runs the quick ones, `nox --list` tells what there is.

`make test` needs none of this. nox is for both stacks side by side: `nox --session tests openmmlab`. Arguments after
`--` go to pytest: `nox --session tests -- tests/functional`.
"""

import os

import nox

nox.needs_version = '>=2024.4.15'
nox.options.sessions = ['lint', 'docs']
nox.options.reuse_existing_virtualenvs = True

# The original stack exactly. mmcv is built against this very PyTorch, by as many processes as ninja starts (MAX_JOBS
# limits them); its setup.py imports pkg_resources, which newer setuptools do not have. OpenCV 4.12 asks for NumPy 2,
# for which PyTorch 2.1 was not built.
OPENMMLAB = (
    'torch==2.1.2',
    'torchvision==0.16.2',
    'numpy==1.26.4',
    'opencv-python<4.12',
    'setuptools<70',
    'wheel',
    'ninja',
    'psutil',
    'ftfy',
    'regex',
    'mmengine==0.10.7',
    'mmsegmentation==1.2.2',
)
MMCV = 'mmcv==2.1.0'


def crf_on_new_python(session: nox.Session) -> None:
    """pydensecrf2 pins a Cython that does not know Python 3.13; it builds with a newer one."""
    newer = 'import sys; print(sys.version_info >= (3, 13))'
    if session.run('python', '-c', newer, silent=True, log=False).strip() == 'True':
        session.install('cython>=3', 'setuptools', 'wheel')
        session.install('--no-build-isolation', 'pydensecrf2')


@nox.session
def tests(session: nox.Session) -> None:
    """All tests on the stack as maintained today (several GB, PyTorch for the most part)."""
    crf_on_new_python(session)
    session.install('-e', '.[all]')
    session.run('python', '-m', 'pytest', *session.posargs)


@nox.session(python='3.11')
def openmmlab(session: nox.Session) -> None:
    """All tests on the original OpenMMLab releases; building mmcv took 36 minutes on one core.

    MMPPC_WHEELS names a folder with a wheel of mmcv that was built before (`pip wheel --no-build-isolation --no-deps`).
    """
    session.install(*OPENMMLAB)
    wheels = os.environ.get('MMPPC_WHEELS')
    links = ['--find-links', os.path.abspath(wheels)] if wheels else []
    session.install('--no-build-isolation', '--no-deps', *links, MMCV, env={'MMCV_WITH_OPS': '1'})
    # The extra names the same releases, so nothing of the above moves.
    session.install('-e', '.[openmmlab,crf,laptop,coco,dev]')
    session.run('python', '-m', 'pytest', *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The site in build/site; a link or an anchor that leads nowhere fails."""
    session.install('mkdocs-material>=9.6,<10')
    session.run('mkdocs', 'build', '--strict', *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style of all Python files, with the versions of the dev extra."""
    session.install('ruff>=0.17,<0.18')
    session.run('ruff', 'check', '.')
    session.run('ruff', 'format', '--check', '.')
