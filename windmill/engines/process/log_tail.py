"""The end of a program's log, for the message of its failure."""

from collections import deque
from collections.abc import Iterable

from windmill.kernels.text.printable import render_printable
from windmill.kernels.text.redaction import redactor

LINE_CHARACTERS = 300
CHARACTERS = 3_000
"""Of all lines together: the message of an error has room for them, and for what stands before."""


class LogTail:
    """Keeps the last lines of a log of any length, and shows them without secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._hide = redactor(secrets)
        self._lines: deque[str] = deque()
        self._characters = 0

    def add(self, line: str) -> None:
        """Take in a line; of a long one its end."""
        shown = render_printable(line[-LINE_CHARACTERS:])
        if not shown:
            return
        self._lines.append(shown)
        self._characters += len(shown) + 1
        while self._characters > CHARACTERS:
            self._characters -= len(self._lines.popleft()) + 1

    def __str__(self) -> str:
        return self._hide("\n".join(self._lines))
