"""Quarantine of poison jobs: a job that was redelivered after several worker crashes runs alone in its process.

A crash raises the delivery count of every job that the worker held. Without quarantine, harmless jobs would reach the
delivery limit together with the poison job beside them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

SUSPECT_AFTER_DELIVERIES = 2
LINGER_SECONDS = 2.0


def suspect_from(limit: int) -> int:
    """After how many deliveries a job is a suspect, with this delivery limit."""
    return max(1, min(SUSPECT_AFTER_DELIVERIES, limit - 1))


def suspect(handed_out: int, limit: int) -> bool:
    """Whether a job was delivered often enough to run alone, but is still below the delivery limit."""
    return suspect_from(limit) <= handed_out < limit


class Quarantine:
    """Shared by all processors of a process, as a crash hits them all; processors are compared by identity."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._owner: object | None = None
        self._left = 0.0
        self._in_progress = 0
        self._consuming: set[object] = set()
        self._wakers: dict[object, Callable[[], None]] = {}
        self._changed = asyncio.Event()
        self.occupied = False

    def register(self, processor: object, wake: Callable[[], None]) -> None:
        """Add a processor; `wake` is called when its allowed prefetch may have changed."""
        self._wakers[processor] = wake

    def unregister(self, processor: object) -> None:
        """Remove a processor that gets no more deliveries."""
        self._wakers.pop(processor, None)
        self.set_prefetch(processor, 0)

    def set_prefetch(self, processor: object, prefetch: int) -> None:
        """Note the present prefetch of the processor."""
        if prefetch:
            self._consuming.add(processor)
        else:
            self._consuming.discard(processor)
        self._changed.set()

    def allowed_prefetch(self, processor: object, wanted: int) -> int:
        """The prefetch that the processor may use. Others get 0 until the suspects of the owner are done."""
        if self.occupied:
            return 0
        if self._owner is None or self._clock() - self._left >= LINGER_SECONDS:
            self._owner = None
            return wanted
        return min(wanted, 1) if self._owner is processor else 0

    def started(self) -> None:
        """Count a delivery that begins."""
        self._in_progress += 1

    def settled(self) -> None:
        self._in_progress -= 1
        self._changed.set()

    def release(self, processor: object) -> None:
        """A job of this processor is no suspect: end its ownership."""
        if self._owner is processor and not self.occupied:
            self._owner = None
            self._wake_all()

    @asynccontextmanager
    async def alone(self, processor: object) -> AsyncIterator[bool]:
        """Wait until this delivery is the only one in the process; False when another one waits already."""
        if self.occupied:
            yield False
            return
        self.occupied, self._owner = True, processor
        self._wake_all()
        try:
            while self._consuming or self._in_progress > 1:
                self._changed.clear()
                await self._changed.wait()
            yield True
        finally:
            self.occupied = False
            self._left = self._clock()
            self._wake_all()

    def _wake_all(self) -> None:
        for wake in self._wakers.values():
            wake()
