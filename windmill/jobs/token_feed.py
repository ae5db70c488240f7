"""Tokens as they come from the queue of one step, while the step has a free slot."""

import asyncio
import contextlib
from collections.abc import Callable

from windmill.broker import Consumer, Delivery

LULL_SECONDS = 0.05
"""Tokens that come so soon after a claim that found nothing lead to one more claim, and not to one each."""


class TokenFeed:
    """Holds one token at most, and only until the database was asked."""

    def __init__(self, consumer: Consumer, on_token: Callable[[], None] = lambda: None) -> None:
        self._consumer = consumer
        self._on_token = on_token
        self._consuming = False
        self._held: Delivery | None = None
        self._arrived = asyncio.Event()
        self._roused = False

    def lost(self) -> bool:
        return self._consumer.lost()

    async def open(self) -> None:
        """Take tokens, now that a slot is free."""
        if not self._consuming:
            await self._consumer.start(self._take, 1)
            self._consuming = True

    async def wait(self, seconds: float) -> None:
        """Return when a token comes, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived.wait()

    def acknowledge(self) -> bool:
        """The database was asked, so the token has served; whether there was one."""
        held, self._held = self._held, None
        self._arrived.clear()
        if held:
            held.acknowledge()
        return held is not None

    async def lull(self) -> bool:
        """Acknowledge what comes in a short while, which ends when somebody rouses us; whether anything came."""
        loop = asyncio.get_running_loop()
        end, came, self._roused = loop.time() + LULL_SECONDS, False, False
        while self._consuming and not self._roused and (left := end - loop.time()) > 0:
            await self.wait(left)
            came = self.acknowledge() or came
        return came

    def rouse(self) -> None:
        """There is something to claim, whether a token comes or not."""
        self._roused = True
        self._arrived.set()

    async def pause(self) -> None:
        """Take no tokens while no slot is free; one that came meanwhile is for others."""
        if self._consuming:
            self._consuming = False
            await self._consumer.stop()
        held, self._held = self._held, None
        self._arrived.clear()
        if held:
            await held.requeue()

    async def _take(self, delivery: Delivery) -> None:
        self._on_token()
        self._held = delivery
        self._arrived.set()
