"""Back-pressure: producers wait while a queue is full, so that none grows without limit."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from windmill.process.runner import pause

POLL_SECONDS = 1.0
logger = logging.getLogger(__name__)


class QueueBackpressure:
    """The room left until a queue holds `most` jobs. Queue depths are read again only when the room is used up, as that
    takes as long as publishing a hundred images."""

    def __init__(
        self, depths: Callable[[], Awaitable[Mapping[str, int]]], most: int, *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._depths = depths
        self._most = most
        self._poll_seconds = poll_seconds
        self._room = 0

    async def wait_for_room(self, count: int, stop: asyncio.Event) -> None:
        """Wait until there is room, then reserve it for `count` jobs; returns at once when `stop` is set."""
        logged = False
        while self._room <= 0 and not stop.is_set():
            deepest = max((await self._depths()).values())
            self._room = self._most - deepest
            if self._room > 0:
                break
            if not logged:
                logger.info("waiting for the queues to drain", extra={"queued": deepest, "most": self._most})
                logged = True
            await pause(stop, self._poll_seconds)
        self._room -= count
