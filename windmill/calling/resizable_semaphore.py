"""A semaphore whose size can change while callers wait, and that lets urgent callers go first: the concurrency limit of
one service."""

import asyncio
from collections import deque

from windmill.kernels.flow.urgent_first import urgent_is_next

_Turn = asyncio.Future[None]


class ResizableSemaphore:
    """`async with` takes one of `size` slots. First come, first served, except that those who ask for `urgent` slots
    overtake the others, of whom nevertheless one in ten gets the next slot."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.taken = 0
        self._ordinary: deque[_Turn] = deque()
        self._urgent: deque[_Turn] = deque()
        self._urgent_in_a_row = 0
        self.urgent = UrgentSlots(self)

    @property
    def size(self) -> int:
        return self._size

    def resize(self, size: int) -> None:
        """A larger size admits waiters at once; a smaller one takes effect as holders leave."""
        self._size = size
        self._admit()

    async def __aenter__(self) -> None:
        if self._is_free():
            self.taken += 1
            self._urgent_in_a_row = 0
            return
        await self._wait_in(self._ordinary)

    async def __aexit__(self, *_exc: object) -> None:
        self.release()

    async def enter_urgent(self) -> None:
        """Take a slot before the ordinary callers that wait."""
        if self._is_free():
            self.taken += 1
            self._urgent_in_a_row += 1
            return
        await self._wait_in(self._urgent)

    def release(self) -> None:
        """Free a slot for who is next."""
        self.taken -= 1
        self._admit()

    def _is_free(self) -> bool:
        return self.taken < self._size and not self._ordinary and not self._urgent

    async def _wait_in(self, queue: deque[_Turn]) -> None:
        turn: _Turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # the slot was granted already
            raise

    def _admit(self) -> None:
        while self.taken < self._size and (self._ordinary or self._urgent):
            urgent = urgent_is_next(
                self._urgent_in_a_row, urgent_waits=bool(self._urgent), ordinary_waits=bool(self._ordinary)
            )
            turn = (self._urgent if urgent else self._ordinary).popleft()
            if not turn.done():
                self.taken += 1
                self._urgent_in_a_row = self._urgent_in_a_row + 1 if urgent else 0
                turn.set_result(None)


class UrgentSlots:
    """The slots of a semaphore for urgent callers: `async with slots.urgent`."""

    def __init__(self, slots: ResizableSemaphore) -> None:
        self._slots = slots

    async def __aenter__(self) -> None:
        await self._slots.enter_urgent()

    async def __aexit__(self, *_exc: object) -> None:
        self._slots.release()
