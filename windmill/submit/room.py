"""Waiting while queues are long, so that none grows without end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from windmill.process.runner import pause

ASK_SECONDS = 1.0
logger = logging.getLogger(__name__)


class QueueRoom:
    """How much more may be published until a queue holds `most`. Asked only when the room seen last is used up, as an
    answer takes as long as publishing a hundred images."""

    def __init__(
        self, depths: Callable[[], Awaitable[Mapping[str, int]]], most: int, *, every: float = ASK_SECONDS
    ) -> None:
        self._depths = depths
        self._most = most
        self._every = every
        self._room = 0

    async def wait_for(self, count: int, stop: asyncio.Event) -> None:
        """Return when `count` more may come, or the process is to stop."""
        said = False
        while self._room <= 0 and not stop.is_set():
            deepest = max((await self._depths()).values())
            self._room = self._most - deepest
            if self._room > 0:
                break
            if not said:
                logger.info("waiting for the queues to drain", extra={"queued": deepest, "most": self._most})
                said = True
            await pause(stop, self._every)
        self._room -= count
