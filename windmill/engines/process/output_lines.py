"""Lines that a program writes: put together from the pieces in which they arrive, and read. Pure."""

import math
import re
from collections.abc import Iterator

MAX_LINE_BYTES = 8_192
"""The rest of a longer line is dropped."""
_PROGRESS = re.compile(r"\s*progress:\s*([0-9]{1,9}(?:\.[0-9]{0,9})?)\s*%?\s*", re.IGNORECASE)
_FRAMES_PATH = re.compile(r"\s*frames_path:\s*(\S.*?)\s*")
_END_OF_LINE = re.compile(rb"[\r\n]")


class LineSplitter:
    """Splits bytes into lines, at \\r too: programs draw bars of progress with it. Its memory is bounded."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that these bytes complete."""
        *complete, rest = _END_OF_LINE.split(data)
        for line in complete:
            yield _text(self._rest + line[:MAX_LINE_BYTES])
            self._rest = b""
        self._rest = (self._rest + rest[:MAX_LINE_BYTES])[:MAX_LINE_BYTES]

    def finish(self) -> Iterator[str]:
        """The last line, if it has no end."""
        if self._rest:
            yield _text(self._rest)
        self._rest = b""


def progress_in(line: str) -> float | None:
    """The share of the work, from 0 to 1, in a line such as `progress: 45`."""
    found = _PROGRESS.fullmatch(line)
    return share(float(found[1])) if found else None


def frames_path_in(line: str) -> str | None:
    """The folder in a line such as `frames_path: out/frames`."""
    found = _FRAMES_PATH.fullmatch(line)
    return found[1] if found else None


def share(percent: float) -> float | None:
    """A share of at most 1; None for what is no number."""
    return min(max(percent / 100, 0.0), 1.0) if math.isfinite(percent) else None


def _text(line: bytes) -> str:
    return line[:MAX_LINE_BYTES].decode("utf-8", "replace")
