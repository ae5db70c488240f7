"""Reads of the database for one reader of a stream alone: of what has left the memory, and of the logs of jobs.

When hundreds of readers come back at once there are hundreds of them. Few ask at a time, so requests and the feed
always find a connection. A reader that goes while it waits for its turn leaves nothing behind; else those who come back
again and again would wait behind the reads of readers that are long gone."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class StreamReads:
    """Lets so many reads ask at once. Mutable."""

    def __init__(self, at_once: int) -> None:
        self._free = asyncio.Semaphore(at_once)

    async def read(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `work` reads. Once it has begun it comes to its end, also if the client goes meanwhile: what serves a
        stream is then cancelled again and again, in the middle of giving a connection back, and the pool may never see
        it again."""
        await self._free.acquire()
        task = asyncio.ensure_future(work())
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._free.release()
        if not task.cancelled():
            task.exception()  # it is told to whoever still waits for it
