"""The end of a program's log, for the message of its failure."""

from collections import deque

from windmill.kernels.text.printable import render_printable

LINES = 20
LINE_CHARACTERS = 300


class LogTail:
    """Keeps the last lines of a log of any length."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES)

    def add(self, line: str) -> None:
        if line.strip():
            self._lines.append(render_printable(line[-LINE_CHARACTERS:]))

    def __str__(self) -> str:
        return "\n".join(self._lines)
