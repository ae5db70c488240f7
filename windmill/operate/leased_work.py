"""Work that any of several processes does, each piece by one at a time: whoever leases it. The lease of a process that
was killed expires, and another goes on."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from windmill.core.errors import WindmillError

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
POLL_SECONDS = 1.0

W = TypeVar("W")


class LeaseLost(Exception):
    """Somebody else has the work by now, so nothing more may be written."""


class LeasedWork(Generic[W]):
    """Looks for work, and does some of it at once. `lease` takes a piece under a token, or returns None."""

    def __init__(
        self,
        name: str,
        lease: Callable[[uuid.UUID], Awaitable[W | None]],
        work: Callable[[W, uuid.UUID], Awaitable[None]],
        *,
        at_once: int = 1,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._name, self._lease, self._work = name, lease, work
        self._free = asyncio.Semaphore(at_once)
        self._poll = poll_seconds
        self._wanted = asyncio.Event()

    def hurry(self) -> None:
        """There is something to do now."""
        self._wanted.set()

    async def work_for_ever(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                await self._free.acquire()
                token = uuid.uuid4()
                found = await self._guarded(self._lease(token))
                if found is None:
                    self._free.release()
                    await self._rest()
                else:
                    group.create_task(self._do(found, token))

    async def _do(self, found: W, token: uuid.UUID) -> None:
        try:
            await self._guarded(self._work(found, token))
        finally:
            self._free.release()

    async def _guarded(self, awaited: Awaitable[W | None]) -> W | None:
        """What fails is found again once its lease has expired."""
        try:
            return await awaited
        except LeaseLost:
            logger.warning("lease lost", extra={"work": self._name})
        except WindmillError as error:
            logger.warning("put off", extra={"work": self._name, "code": error.code, "reason": str(error)})
            await asyncio.sleep(self._poll)
        except Exception:  # a bug in one kind of work must not end what else the process does
            logger.exception("failed", extra={"work": self._name})
            await asyncio.sleep(self._poll)
        return None

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._poll):
                await self._wanted.wait()
        except TimeoutError:
            pass
        self._wanted.clear()
