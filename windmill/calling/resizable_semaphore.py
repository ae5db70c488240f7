"""A semaphore whose size can change while callers wait: the concurrency limit of one service."""

import asyncio
from collections import deque


class ResizableSemaphore:
    """`async with` takes one of `size` slots; first come, first served."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def size(self) -> int:
        return self._size

    def resize(self, size: int) -> None:
        """A larger size admits waiters at once; a smaller one takes effect as holders leave."""
        self._size = size
        self._admit()

    async def __aenter__(self) -> None:
        if self.taken < self._size and not self._waiting:
            self.taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()  # the slot was granted already
            raise

    async def __aexit__(self, *_exc: object) -> None:
        self._release()

    def _release(self) -> None:
        self.taken -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.taken < self._size:
            turn = self._waiting.popleft()
            if not turn.done():
                self.taken += 1
                turn.set_result(None)
