"""Whether a task may run beside others in its process, or has to run alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Tasks run side by side, but for one that has lost several workers: it waits until nothing else runs, so that if
    this process is lost too, it is known to blame."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._running = 0
        self._alone = asyncio.Lock()
        self._wanted = 0

    @property
    def wanted_alone(self) -> bool:
        """Whether a task runs alone, or waits to: no other should be claimed meanwhile."""
        return self._wanted > 0

    @asynccontextmanager
    async def beside_others(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone.locked())
            self._running += 1
        try:
            yield
        finally:
            await self._count(-1)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        self._wanted += 1
        try:
            async with self._alone:
                async with self._changed:
                    await self._changed.wait_for(lambda: not self._running)
                yield
        finally:
            self._wanted -= 1
            await self._count(0)

    async def _count(self, change: int) -> None:
        async with self._changed:
            self._running += change
            self._changed.notify_all()
