"""Files that are whole or absent."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = 'wb') -> Iterator[IO]:
    """Open a file that appears under its name only once it is completely written.

    The data go to a hidden temporary file in the same folder, which then replaces ``path``. On any
    error or interrupt the temporary file is removed and a former ``path`` is left as it was. Missing
    parent folders are made. Only a process killed outright can leave a ``.<hex>.tmp`` behind.

    Args:
        path: Where the file is to appear.
        mode: ``'wb'``, or ``'w'`` for UTF-8 text with ``\\n`` line ends.

    Raises:
        ValueError: If ``mode`` is neither.
    """
    if mode not in ('wb', 'w'):
        raise ValueError(f"mode={mode!r}: expected 'wb' or 'w'")
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, not one made from the target's: that may already be as long as allowed.
    temporary = target.parent / f'.{uuid.uuid4().hex}.tmp'
    text = {} if mode == 'wb' else {'encoding': 'utf-8', 'newline': '\n'}
    try:
        with open(temporary, mode, **text) as file:  # type: ignore[call-overload]
            yield file
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
