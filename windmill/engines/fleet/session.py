"""The connections of the engine: opened when they are first needed, and to the broker anew after an outage."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from windmill import broker
from windmill.broker import Publisher
from windmill.core.errors import WindmillError
from windmill.core.messages import URGENT_HEADER, encode
from windmill.core.settings import Settings
from windmill.storage import database
from windmill.submit.selection import ImageJobs

CONNECTIONS = 4
URGENT = {URGENT_HEADER: True}


class FleetSession:
    """The fleet as the engine reaches it."""

    def __init__(self, settings: Settings, title: str) -> None:
        self.settings = settings
        self._title = title
        self._rows, self._queues = AsyncExitStack(), AsyncExitStack()
        self._pool: database.Pool | None = None
        self._connection: broker.Connection | None = None
        self._publisher: Publisher | None = None
        self._opening = asyncio.Lock()
        self._declared: set[str] = set()

    async def pool(self) -> database.Pool:
        async with self._opening:
            if self._pool is None:
                opened = database.pool(self.settings, self._title, max_size=CONNECTIONS)
                self._pool = await self._rows.enter_async_context(opened)
            return self._pool

    async def urgent_depths(self, services: Sequence[str]) -> Mapping[str, int]:
        """How many urgent jobs wait for each service; its queues are there afterwards."""
        connection, _ = await self._broker()
        try:
            if new := [one for one in services if one not in self._declared]:
                await broker.declare(connection, self.settings, new)
                self._declared.update(new)
            return await broker.depths(connection, self.settings, services, queue=broker.urgent_queue)
        except WindmillError:
            await self._drop()
            raise

    async def ping(self) -> None:
        """Raises if the broker does not answer."""
        connection, _ = await self._broker()
        try:
            await broker.depths(connection, self.settings, ["windmill"])  # a queue that is not there is an answer, too
        except WindmillError:
            await self._drop()
            raise

    async def publish(self, images: Sequence[ImageJobs]) -> list[ImageJobs]:
        """Submit the images to the urgent queues of their services; those of which the broker has not confirmed it."""
        _, publisher = await self._broker()
        sends = (publisher.to_services(encode(one.job), one.services, URGENT) for one in images)
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        unsent = [one for one, outcome in zip(images, outcomes, strict=True) if outcome is not None]
        if unsent:
            await self._drop()
        return unsent

    async def close(self) -> None:
        await self._drop()
        self._pool = None
        await self._rows.aclose()

    async def _broker(self) -> tuple[broker.Connection, Publisher]:
        async with self._opening:
            if self._connection is None or self._publisher is None or self._connection.is_closed:
                await self._drop()
                opened = broker.connection(self.settings, self._title)
                self._connection = await self._queues.enter_async_context(opened)
                publisher = broker.publisher(self._connection, self.settings)
                self._publisher = await self._queues.enter_async_context(publisher)
            return self._connection, self._publisher

    async def _drop(self) -> None:
        """Whatever is wrong with the connection, the next request gets a new one."""
        self._connection = self._publisher = None
        self._declared.clear()
        await self._queues.aclose()
