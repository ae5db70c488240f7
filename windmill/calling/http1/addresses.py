"""The addresses of hosts: asked for now and then, the one that answered last first."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

KNOWN_SECONDS = 30.0
LookUp = Callable[[str, int], Awaitable[tuple[str, ...]]]


async def look_up(host: str, port: int) -> tuple[str, ...]:
    """The addresses of a host as the system has them, in its order."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(literal(entry[4]) for entry in found))


def literal(address: tuple[object, ...]) -> str:
    """A socket address without its port; a link-local one is of use only together with its interface."""
    scope = address[3] if len(address) == 4 else 0
    return f"{address[0]}%{scope}" if scope else str(address[0])


class Addresses:
    """Remembers for a while, because services that close every connection would have each request ask anew."""

    def __init__(self, look_up: LookUp, clock: Callable[[], float]) -> None:
        self._look_up = look_up
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, tuple[str, ...]]] = {}

    async def of(self, host: str, port: int) -> tuple[str, ...]:
        until, known = self._known.get((host, port), (0.0, ()))
        if self._clock() < until:
            return known
        found = await self._look_up(host, port)
        self._known[host, port] = (self._clock() + KNOWN_SECONDS, found)
        if known:
            self.prefer(host, port, known[0])
        return self._known[host, port][1]

    def prefer(self, host: str, port: int, address: str) -> None:
        until, known = self._known.get((host, port), (0.0, ()))
        if address in known[1:]:
            self._known[host, port] = (until, (address, *(other for other in known if other != address)))

    def forget(self, host: str, port: int) -> None:
        self._known.pop((host, port), None)
