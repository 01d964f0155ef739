"""The JSON reports of the metrics."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from mmppc.storage.atomic import atomic_write

# A list of integers that json has put on lines of their own. No string of a JSON text holds a line break.
_NUMBERS = re.compile(r'\[\n\s*-?\d+(?:,\n\s*-?\d+)*\n\s*\]')


def write_report(path: str | os.PathLike, report: Mapping[str, Any]) -> None:
    """Write a report as indented JSON, atomically; a list of integers, as the row of a matrix, on one line.

    Raises:
        TypeError: If the report does not fit into JSON.
    """
    text = json.dumps(dict(report), indent=2, ensure_ascii=False)
    with atomic_write(path, 'w') as file:
        file.write(_NUMBERS.sub(lambda found: re.sub(r'\s+', '', found[0]), text))
