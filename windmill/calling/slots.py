"""Calls at a time to one service; the number may change while calls wait for their turn."""

import asyncio
from collections import deque


class Slots:
    """A semaphore whose size can be set: `async with slots`. Who waits longest goes first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def size(self) -> int:
        return self._size

    def resize(self, size: int) -> None:
        """More start at once; fewer take effect as calls end."""
        self._size = size
        self._let_in()

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
                self._leave()  # the turn had come already
            raise

    async def __aexit__(self, *_exc: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self.taken -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self.taken < self._size:
            turn = self._waiting.popleft()
            if not turn.done():
                self.taken += 1
                turn.set_result(None)
