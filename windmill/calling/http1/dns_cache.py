"""A DNS cache: the addresses of a host, the one that accepted the last connection first."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

TTL_SECONDS = 30.0
LookUp = Callable[[str, int], Awaitable[tuple[str, ...]]]


async def look_up(host: str, port: int) -> tuple[str, ...]:
    """The addresses that the system resolver returns, in its order."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(literal(entry[4]) for entry in found))


def literal(address: tuple[object, ...]) -> str:
    """A socket address without its port; a link-local one needs its interface."""
    scope = address[3] if len(address) == 4 else 0
    return f"{address[0]}%{scope}" if scope else str(address[0])


class DnsCache:
    """Caches look-ups, because with services that close every connection each request would need one."""

    def __init__(self, look_up: LookUp, clock: Callable[[], float]) -> None:
        self._look_up = look_up
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, tuple[str, ...]]] = {}

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        until, known = self._known.get((host, port), (0.0, ()))
        if self._clock() < until:
            return known
        found = await self._look_up(host, port)
        self._known[host, port] = (self._clock() + TTL_SECONDS, found)
        if known:
            self.prefer(host, port, known[0])
        return self._known[host, port][1]

    def prefer(self, host: str, port: int, address: str) -> None:
        """Try this address first from now on."""
        until, known = self._known.get((host, port), (0.0, ()))
        if address in known[1:]:
            self._known[host, port] = (until, (address, *(other for other in known if other != address)))

    def forget(self, host: str, port: int) -> None:
        self._known.pop((host, port), None)
