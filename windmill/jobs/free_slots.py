"""How many tasks of a step may start now in this process."""

import asyncio
import contextlib


class FreeSlots:
    """A slot is taken without waiting or not at all, so that it can be kept in the middle of a transaction."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._some = asyncio.Event()
        self._some.set()

    @property
    def none(self) -> bool:
        return not self._free

    def take(self) -> bool:
        """Whether there was one."""
        if not self._free:
            return False
        self._free -= 1
        if not self._free:
            self._some.clear()
        return True

    def give_back(self) -> None:
        self._free += 1
        self._some.set()

    async def wait(self, seconds: float | None = None) -> None:
        """Return when one is free, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._some.wait()
