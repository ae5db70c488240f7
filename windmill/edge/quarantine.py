"""A job that came back from lost workers again and again is done alone: nothing else is in the process's hands then.

A lost worker counts for all that it held, begun or not. Without this, harmless jobs would be given up together with the
one that ends workers, because they lay beside it each time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

ON_TRIAL = 2
LINGER_SECONDS = 2.0


def suspect(handed_out: int, limit: int) -> bool:
    """Whether a job was handed out often enough to be done alone, and not yet so often as to be given up."""
    return max(1, min(ON_TRIAL, limit - 1)) <= handed_out < limit


class Quarantine:
    """One for all edges of a process, as a job of any of them ends it for all. Edges are told apart by identity."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._owner: object | None = None
        self._left = 0.0
        self._in_hand = 0
        self._consuming: set[object] = set()
        self._wakers: dict[object, Callable[[], None]] = {}
        self._changed = asyncio.Event()
        self.occupied = False

    def open(self, edge: object, wake: Callable[[], None]) -> None:
        """An edge begins; `wake` is called when it may be allowed something else."""
        self._wakers[edge] = wake

    def close(self, edge: object) -> None:
        """Nothing more is delivered to this edge."""
        self._wakers.pop(edge, None)
        self.consumes(edge, 0)

    def consumes(self, edge: object, prefetch: int) -> None:
        """How many deliveries the edge lets come from now on."""
        if prefetch:
            self._consuming.add(edge)
        else:
            self._consuming.discard(edge)
        self._changed.set()

    def allowed(self, edge: object, wanted: int) -> int:
        """How many deliveries the edge may let come. Others wait until those that are to be done alone have passed."""
        if self.occupied:
            return 0
        if self._owner is None or self._clock() - self._left >= LINGER_SECONDS:
            self._owner = None
            return wanted
        return min(wanted, 1) if self._owner is edge else 0

    def took(self) -> None:
        """A delivery is in hand."""
        self._in_hand += 1

    def settled(self) -> None:
        self._in_hand -= 1
        self._changed.set()

    def harmless(self, edge: object) -> None:
        """What is delivered to the edge now need not be done alone."""
        if self._owner is edge and not self.occupied:
            self._owner = None
            self._wake_all()

    @asynccontextmanager
    async def alone(self, edge: object) -> AsyncIterator[bool]:
        """Wait until this delivery is all that the process holds; False when another one waits for that already."""
        if self.occupied:
            yield False
            return
        self.occupied, self._owner = True, edge
        self._wake_all()
        try:
            while self._consuming or self._in_hand > 1:
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
