"""Sending a few jobs at once, from a program that lives long: its connection stays open between them."""

import asyncio
import contextlib
from collections.abc import Sequence

from windmill import broker
from windmill.broker import Headers, Publisher
from windmill.core.errors import WindmillError
from windmill.core.messages import URGENT_HEADER, encode
from windmill.core.settings import Settings
from windmill.submit.selection import ImageJobs


class JobSender:
    """Opens its connection when there is something to send, and again after an outage. Mutable."""

    def __init__(self, settings: Settings, title: str) -> None:
        self._settings, self._title = settings, title
        self._stack = contextlib.AsyncExitStack()
        self._publisher: Publisher | None = None
        self._declared: set[str] = set()
        self._opening = asyncio.Lock()

    async def send_urgent(self, images: Sequence[ImageJobs]) -> None:
        """The same before all others."""
        await self._send(images, {URGENT_HEADER: True})

    async def send(self, images: Sequence[ImageJobs]) -> None:
        """Return once every queue has confirmed; raises BROKER_UNAVAILABLE."""
        await self._send(images, {})

    async def _send(self, images: Sequence[ImageJobs], headers: Headers) -> None:
        try:
            publisher = await self._open([service for image in images for service in image.services])
            jobs = [image for image in images if image.services]
            await asyncio.gather(*(publisher.to_services(encode(one.job), one.services, headers) for one in jobs))
        except WindmillError:
            await self.close()
            raise

    async def close(self) -> None:
        async with self._opening:
            self._publisher = None
            self._declared.clear()
            with contextlib.suppress(WindmillError):
                await self._stack.aclose()

    async def _open(self, services: Sequence[str]) -> Publisher:
        """The broker silently drops a copy for a queue that does not exist, so they are declared before."""
        async with self._opening:
            if self._publisher is None or not self._declared.issuperset(services):
                await self._stack.aclose()
                opened = await self._stack.enter_async_context(broker.connection(self._settings, self._title))
                self._declared |= set(services)
                await broker.declare(opened, self._settings, sorted(self._declared))
                self._publisher = await self._stack.enter_async_context(broker.publisher(opened, self._settings))
            return self._publisher
