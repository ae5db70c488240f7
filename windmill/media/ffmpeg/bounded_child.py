"""A child process with limits, in a group of its own. Whatever it says on standard error is drained and its end kept,
so that it never waits for somebody to read it."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from windmill.core.errors import WindmillError
from windmill.core.memory_kills import kernel_kills

LAUNCHER = Path(__file__).with_name("child_launcher.py")
TAIL_BYTES = 64 * 1024
_PIECE = 64 * 1024
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "AV_LOG_FORCE_NOCOLOR": "1", "MALLOC_ARENA_MAX": "2"}
"""All of it: no passwords."""


@dataclass(frozen=True)
class ChildLimits:
    """What a child may take; 0 is no limit. `seconds` are those of a clock on the wall."""

    seconds: float
    memory_bytes: int = 0
    cpu_seconds: int = 0
    file_bytes: int = 0


@dataclass(frozen=True)
class ChildEnd:
    """How a child ended, with the end of its log."""

    status: int
    log: str
    late: bool
    killed_for_memory: bool


class Children:
    """The children of one piece of work, which end together. `end` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.ended = False

    def end(self) -> None:
        """Kill all of them, and let no other start."""
        with self._lock:
            self.ended = True
            for process in self._running:
                _kill(process)

    def start(self, command: Sequence[str], **options: object) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self.ended:
                raise WindmillError("CANCELLED", "the task was stopped")
            process: subprocess.Popen[bytes] = subprocess.Popen(command, **options)  # type: ignore[call-overload]
            self._running.add(process)
            return process

    def gone(self, process: "subprocess.Popen[bytes]") -> None:
        """It has been waited for, so its id may soon be another's."""
        with self._lock:
            self._running.discard(process)

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        with self._lock:
            if process in self._running:
                _kill(process)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


class BoundedChild:
    """A running child; used as a context, it is gone afterwards. `side` is a further pipe out of it, whose number in
    the child `command` is given."""

    def __init__(
        self,
        children: Children,
        command: Callable[[int], Sequence[str]],
        limits: ChildLimits,
        *,
        takes_input: bool = False,
        gives_output: bool = False,
    ) -> None:
        self._children = children
        self._kills = kernel_kills()
        self._late = False
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        ours, theirs = os.pipe()
        self.side = os.fdopen(ours, "rb")
        try:
            numbers = (os.getpid(), limits.memory_bytes, limits.cpu_seconds, limits.file_bytes)
            self._process = children.start(
                [sys.executable, "-I", "-S", str(LAUNCHER), *map(str, numbers), *command(theirs)],
                stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE if gives_output else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=_ENVIRONMENT,
                pass_fds=(theirs,),
                start_new_session=True,
            )
        except BaseException:
            self.side.close()
            raise
        finally:
            os.close(theirs)
        self._timer = threading.Timer(limits.seconds, self._end_late)
        self._timer.daemon = True
        self._timer.start()
        self._draining = threading.Thread(target=self._drain, daemon=True)
        self._draining.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout
        return self._process.stdout

    def __enter__(self) -> "BoundedChild":
        return self

    def __exit__(self, *_: object) -> None:
        self._children.kill(self._process)
        self.wait()
        for pipe in (self._process.stdin, self._process.stdout, self.side):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()

    def stdout_lines(self) -> Iterator[bytes]:
        """What it writes to standard output, line by line."""
        with os.fdopen(os.dup(self.stdout.fileno()), "rb") as lines:
            yield from lines

    def wait(self) -> ChildEnd:
        """Its end, once it is gone and its log is read."""
        status = self._process.wait()
        self._children.gone(self._process)
        self._timer.cancel()
        self._draining.join()
        by_kernel = status == -signal.SIGKILL and kernel_kills() > self._kills
        log = b"".join(self._tail)[-TAIL_BYTES:].decode("utf-8", "replace")
        return ChildEnd(status, log, self._late, by_kernel)

    def _end_late(self) -> None:
        self._late = True
        self._children.kill(self._process)

    def _drain(self) -> None:
        assert self._process.stderr
        with self._process.stderr as pipe:
            while data := pipe.read(_PIECE):
                self._tail.append(data)
                self._tail_bytes += len(data)
                while self._tail_bytes - len(self._tail[0]) > TAIL_BYTES:
                    self._tail_bytes -= len(self._tail.popleft())
