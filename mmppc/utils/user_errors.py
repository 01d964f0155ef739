"""Errors of the input as one clear message on the command line."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

DEBUG = 'MMPPC_DEBUG'


@contextmanager
def user_errors() -> Iterator[None]:
    """End with one clear message and exit code 2 on an error of the input, not with a stack trace.

    ``MMPPC_DEBUG=1`` keeps the stack trace.
    """
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        if os.environ.get(DEBUG, '0') not in ('', '0'):
            raise
        print(f'error: {_message(error)}', file=sys.stderr)
        print(f'(set {DEBUG}=1 to see where it was raised)', file=sys.stderr)
        raise SystemExit(2) from None


def _message(error: BaseException) -> str:
    """The message itself, when a worker of the data loader has put its stack trace around it."""
    text = str(error).strip()
    if 'Original Traceback' in text:
        text = re.split(rf'^(?:[\w.]+\.)?{type(error).__name__}: ', text, flags=re.MULTILINE)[-1]
    return text.strip() or type(error).__name__
