"""Progress of an operation as bars on a terminal, one for each part of it."""

import sys
from types import TracebackType
from typing import NoReturn, TextIO

from tqdm import tqdm

from windmill.operate.progress import ProgressUpdate


class ProgressBars:
    """Shows updates while it is open; without a terminal it shows nothing."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stderr
        self._shown: tuple[str, str] | None = None
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> "ProgressBars":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def show(self, update: ProgressUpdate) -> None:
        """Move the bar; another part of the operation gets a bar of its own."""
        shown = (update.part, update.unit)
        if self._bar is None or shown != self._shown:
            self._close()
            self._shown = shown
            self._bar = tqdm(
                desc=update.part or None,
                unit=f" {update.unit}",
                total=update.total,
                disable=None,
                dynamic_ncols=True,
                file=self._file,
            )
        self._bar.update(update.done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None
