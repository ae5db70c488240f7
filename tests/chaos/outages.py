"""Ways in which something a worker needs goes away and comes back. `end` tells the moment from which it answers."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from dev import servers
from tests.e2e.conftest import Farm
from tests.integration.proxy import LOOPBACK, Proxy
from tests.waiting import until

START_SECONDS = 120


class Outage(Protocol):
    """Something that can go away again and again."""

    async def begin(self) -> None: ...

    async def end(self) -> datetime: ...


class Restart:
    """A private server that is stopped and started as its user does it."""

    def __init__(self, state: Path, server: str, port: int) -> None:
        self._state, self._server, self._port = state, server, port

    async def begin(self) -> None:
        await asyncio.to_thread(servers.down, self._state, only=[self._server])

    async def end(self) -> datetime:
        starting = asyncio.to_thread(servers.up, self._state, {}, report=lambda _: None, only=[self._server])
        answers, _ = await asyncio.gather(self._accepts(), starting)
        return answers

    async def _accepts(self) -> datetime:
        """The first moment at which anybody listens, which may be a little before it lets a client in."""

        async def listens() -> bool:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(LOOPBACK, self._port)
                writer.close()
                return True
            return False

        await until(listens, START_SECONDS, f"{self._server} listens")
        return datetime.now(UTC)


class Cut:
    """A server whose connections are reset, and which refuses new ones."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    async def begin(self) -> None:
        await self._proxy.cut()

    async def end(self) -> datetime:
        await self._proxy.mend()
        return datetime.now(UTC)


class Frozen:
    """A network that lost its way: connections stay and nothing passes."""

    def __init__(self, *proxies: Proxy) -> None:
        self._proxies = proxies

    async def begin(self) -> None:
        for proxy in self._proxies:
            proxy.freeze()

    async def end(self) -> datetime:
        for proxy in self._proxies:
            proxy.thaw()
        return datetime.now(UTC)


class ServiceFault:
    """A service that does one kind of wrong to every call; `usual` is how it is otherwise."""

    def __init__(self, farm: Farm, service: str, usual: Mapping[str, float], **faults: float) -> None:
        self._farm, self._service = farm, service
        self._faults = faults
        self._usual = {**dict.fromkeys(faults, 0), **usual}

    async def begin(self) -> None:
        self._farm.misbehave(self._service, **self._faults)

    async def end(self) -> datetime:
        self._farm.misbehave(self._service, **self._usual)
        return datetime.now(UTC)
