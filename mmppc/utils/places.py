"""Where configs and tools are: in a checkout beside the package, in an installed package inside of it."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
INSTALLED = PACKAGE / '.mim'
"""Where OpenMMLab packages carry their configs and tools when they are installed."""


def project_folder() -> Path:
    """The folder that has ``configs/`` and ``tools/``.

    Raises:
        FileNotFoundError: There is none: the package was installed without them.
    """
    for folder in (PACKAGE.parent, INSTALLED):
        if (folder / 'configs' / '_base_').is_dir() and (folder / 'tools' / 'train.py').is_file():
            return folder
    raise FileNotFoundError(
        f'configs/ and tools/ are neither in {PACKAGE.parent} nor in {INSTALLED}; install mmppc again'
    )


def find_pipeline(name: str) -> Path:
    """The file of a pipeline: a path, or the name of one in ``configs/pipelines``.

    Raises:
        FileNotFoundError: There is no such file; the message lists the names.
    """
    path = Path(name)
    if path.is_file():
        return path.resolve()
    folder = project_folder() / 'configs' / 'pipelines'
    inside = folder / f'{path.stem}.py'
    if path.parent == Path('.') and path.suffix in ('', '.py') and inside.is_file():
        return inside
    known = ', '.join(sorted(file.stem for file in folder.glob('*.py')))
    raise FileNotFoundError(f'pipeline not found: {name}; expected a file, or one of {known}')
