"""Become another command that ends when the process which started it does.

Run as a script: ``python bound_process.py PARENT COMMAND...``. A stage whose pipeline was killed outright would go on
alone, and the next start would have to wait for it. On Linux the kernel sends SIGTERM when the parent dies; elsewhere
the command just runs.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == 'linux':
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was asked
            raise SystemExit(1)
    os.execvp(command[0], command)


if __name__ == '__main__':
    main()
