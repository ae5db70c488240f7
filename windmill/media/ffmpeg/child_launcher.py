"""Becomes one command with limits: started as a program of its own, with the standard library alone.

    child_launcher.py PARENT MEMORY_BYTES CPU_SECONDS FILE_BYTES COMMAND [ARGUMENT ...]

The command ends when the thread that started it is gone, so a worker that is killed leaves none behind. 0 is no limit.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_SET_PARENT_DEATH_SIGNAL = 1
_OPEN_FILES = 256


def main(arguments: list[str]) -> None:
    parent, memory, cpu, file_bytes = map(int, arguments[:4])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, cpu), (resource.RLIMIT_FSIZE, file_bytes)):
        if most:
            _limit(kind, most)
    with contextlib.suppress(OSError):
        # The kernel, if it has to choose, ends the command and not the worker.
        Path("/proc/self/oom_score_adj").write_text("800")
    os.execv(arguments[4], arguments[4:])  # noqa: S606 - there is no shell, and the path is whole


def _limit(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main(sys.argv[1:])
