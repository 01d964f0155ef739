"""Processes that end when the one which started them does.

Run as a script, ``python bound_process.py PARENT COMMAND...`` becomes another command. A stage whose pipeline was
killed outright would go on alone, and the next start would have to wait for it; so would the processes that torchrun
has started for it. On Linux the kernel sends SIGTERM when the parent dies; elsewhere nothing happens.
"""

import ctypes
import os
import signal
import sys

STAGE = 'MMPPC_STAGE_PROCESS'
"""Environment variable: number of the process that a pipeline has started for its stage."""
_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process with its parent; end now if that is not ``parent`` any more."""
    if sys.platform != 'linux':
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was asked
        raise SystemExit(1)


def end_rank_with_stage() -> None:
    """End with torchrun, in a process that it has started for the stage of a pipeline; elsewhere do nothing."""
    stage = os.environ.get(STAGE, '')
    if 'LOCAL_RANK' in os.environ and stage.isdigit() and int(stage) != os.getpid():
        end_with_parent(int(stage))


def main() -> None:
    end_with_parent(int(sys.argv[1]))
    os.environ[STAGE] = str(os.getpid())  # the command keeps the number
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == '__main__':
    main()
