"""Shipped configs, read as the tools read them."""

from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmppc.utils.config_file import read_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def read(name: str) -> Config:
    """The config ``name``, ready for building its parts."""
    cfg = read_config(str(CONFIGS / f'{name}.py'), work_dir='work')
    init_default_scope(cfg.default_scope)
    return cfg
