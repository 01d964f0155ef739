"""Weakly supervised semantic segmentation with pixel-to-prototype contrast, on OpenMMLab.

Importing this package registers every component in mmseg's registries.
"""

from mmppc.utils.environment import check_environment, quiet_imports
from mmppc.version import __version__

check_environment()
with quiet_imports():
    from mmppc import datasets, evaluation, hooks, models
    from mmppc.utils import checkpoint

checkpoint.register_safe_loaders()

__all__ = ['__version__', 'datasets', 'evaluation', 'hooks', 'models']
