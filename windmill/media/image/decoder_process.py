"""A decoder child as its parent sees it: it is started with the first question, and answers one at a time."""

import contextlib
import fcntl
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import windmill
from windmill.core.setting_parts import ImageSettings
from windmill.media.image.decoder_frames import read_frame, write_frame

_ENVIRONMENT = {
    "PYTHONPATH": str(Path(windmill.__file__).parent.parent),
    "PYTHONDONTWRITEBYTECODE": "1",
    "LC_ALL": "C.UTF-8",
    # A second arena of the allocator would take 64 MB of the memory that the child may use.
    "MALLOC_ARENA_MAX": "1",
}
"""All of it: no passwords. The package is found also when it is not installed."""


_PIPE_BYTES = 1024 * 1024
"""As much as anybody may ask for: most pictures pass at once, where 64 KB would make parent and child take turns."""


class DecoderDied(Exception):
    """The child ended before it had answered; `status` is its exit status, negative for a signal, None if it could not
    be started."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"the decoder ended with status {status}")
        self.status = status


class DecoderChild:
    """`ask` blocks, so it is called in a thread; `kill` may be called meanwhile, and the thread then cleans up."""

    def __init__(self, settings: ImageSettings) -> None:
        limits = settings.decode_memory_bytes, settings.decode_cpu_seconds, settings.max_image_pixels
        # -P: not with the current folder first on the path, where anybody may have put modules.
        self._command = [sys.executable, "-P", "-m", "windmill.media.image.decoder_child", *map(str, limits)]
        self._max_answer = settings.decode_memory_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def ask(self, document: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """The child's answer; raises DecoderDied, when the child has ended and nothing is left of it."""
        try:
            process = self._started()
            write_frame(_pipe(process.stdin), document, body)
            return read_frame(_pipe(process.stdout), self._max_answer)
        except (OSError, ValueError, EOFError) as error:
            raise DecoderDied(self.close()) from error

    def kill(self) -> None:
        """Make the thread in `ask`, now or later, raise DecoderDied."""
        with self._lock:
            self._killed = True
            if self._process:
                self._process.kill()

    def close(self) -> int | None:
        """Kill it, and free what the kernel holds for it; the exit status."""
        self.kill()
        if self._process is None:
            return None
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                _pipe(pipe).close()
            except OSError:  # what was left to be written
                continue
        return status

    def _started(self) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self._killed:
                raise EOFError("it was killed")
            if self._process is None:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=_ENVIRONMENT,
                )
                _widen(_pipe(self._process.stdin))
                _widen(_pipe(self._process.stdout))
            return self._process


def _widen(pipe: IO[bytes]) -> None:
    """Only Linux can, and not for a user who has many pipes already."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe
    return pipe
