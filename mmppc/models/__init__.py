"""Networks, heads, losses and segmentors of the CAM stage."""

import importlib
import importlib.util

for _name in ('backbones', 'necks', 'heads', 'losses', 'segmentors', 'views', 'tta'):
    if importlib.util.find_spec(f'{__name__}.{_name}') is not None:
        importlib.import_module(f'{__name__}.{_name}')
