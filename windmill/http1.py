"""A small HTTP/1.1 client for services: one request, one bounded reply, connections kept alive.

    HttpFailure
    ├── NotReached      no connection: refused, no such host, no answer to the knock
    ├── CutOff          the connection ended before the reply did, or the reply is not HTTP
    └── ReplyTooLarge

Why not a full client library: all that a worker says is one POST, and a full client costs a worker more than half of
its CPU and of its memory. Parsing is llhttp's, by httptools.
"""

import asyncio
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import httptools

IDLE_SECONDS = 30.0
RESOLVED_SECONDS = 30.0
_KEPT_HEADERS = (b"content-length", b"transfer-encoding", b"content-encoding", b"retry-after")


class HttpFailure(Exception):
    """There is no whole reply; the text says why."""


class NotReached(HttpFailure):
    pass


class CutOff(HttpFailure):
    pass


class ReplyTooLarge(HttpFailure):
    pass


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply in full; of its headers only what a worker looks at, names in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class _Link(asyncio.Protocol):
    """One connection; carries one exchange at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.used = False
        self.idle_since = 0.0
        self._parser = httptools.HttpResponseParser(self)
        self._done: asyncio.Future[Reply] | None = None
        self._heard = False
        self._most = 0
        self._forget()

    def _forget(self) -> None:
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def open(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    @property
    def heard(self) -> bool:
        """Whether anything came back in this exchange."""
        return self._heard

    async def exchange(self, request: Sequence[bytes], most: int) -> Reply:
        assert self.transport
        self._done = asyncio.get_running_loop().create_future()
        self._heard, self._most = False, most
        self._forget()
        self.transport.writelines(request)
        return await self._done

    def close(self) -> None:
        if self.transport:
            self.transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are of no class of asyncio's

    def data_received(self, data: bytes) -> None:
        if self._done is None or self._done.done():
            self.close()  # nobody asked
            return
        self._heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(CutOff(f"what came is not HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is None or self._done.done():
            return
        whole = not exc and self._status and not {b"content-length", b"transfer-encoding"} & self._headers.keys()
        if whole:
            self._finish()  # a reply without a length ends with its connection
        else:
            self._fail(CutOff(str(exc or "the connection was closed")))

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _KEPT_HEADERS:
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._status = status if status >= 200 else 0
        if self._announced() > self._most:
            self._too_large()

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > self._most:
            self._too_large()
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        if not self._status:
            self._forget()  # an interim reply such as 100; the real one follows
            return
        if not self._parser.should_keep_alive():
            self.close()
        self._finish()

    def _announced(self) -> int:
        length = self._headers.get(b"content-length", b"0")
        return int(length) if length.isdigit() else 0

    def _too_large(self) -> None:
        self._fail(ReplyTooLarge())

    def _finish(self) -> None:
        if self._done and not self._done.done():
            self._done.set_result(Reply(self._status, self._headers, b"".join(self._parts)))

    def _fail(self, failure: HttpFailure) -> None:
        self.close()
        self._parts = []
        if self._done and not self._done.done():
            self._done.set_exception(failure)


class Http1Client:
    """Exchanges with any number of servers; as many connections at a time as there are exchanges."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._idle: defaultdict[tuple[str, int], list[_Link]] = defaultdict(list)
        self._addresses: dict[tuple[str, int], tuple[float, list[str]]] = {}

    def close(self) -> None:
        for links in self._idle.values():
            for link in links:
                link.close()
        self._idle.clear()

    async def exchange(
        self, host: str, port: int, request: Sequence[bytes], *, most: int, connect_seconds: float
    ) -> Reply:
        """Send a request, which is whole bytes, and return its reply of at most so many bytes."""
        link = self._kept(host, port)
        if link:
            try:
                return await self._over(link, host, port, request, most)
            except CutOff:
                if link.heard:
                    raise
            # The server had closed it, as it may with a connection that idles. Or the request is what kills it: then
            # that shows on the new one.
            try:
                link = await self._connect(host, port, connect_seconds)
            except NotReached as failure:
                # It was there a moment ago and had the request in hand.
                raise CutOff("the connection was closed, and no other is to be had") from failure
        else:
            link = await self._connect(host, port, connect_seconds)
        return await self._over(link, host, port, request, most)

    async def _over(self, link: _Link, host: str, port: int, request: Sequence[bytes], most: int) -> Reply:
        try:
            reply = await link.exchange(request, most)
        except BaseException:
            link.close()
            raise
        if link.open:
            link.idle_since = self._clock()
            self._idle[host, port].append(link)
        return reply

    def _kept(self, host: str, port: int) -> _Link | None:
        """The connection that was used last; those that idle longest are let go."""
        links = self._idle[host, port]
        while links:
            link = links.pop()
            if link.open and self._clock() - link.idle_since < IDLE_SECONDS:
                return link
            link.close()
        return None

    async def _connect(self, host: str, port: int, seconds: float) -> _Link:
        loop = asyncio.get_running_loop()
        failure: OSError = OSError("the host has no address")
        try:
            async with asyncio.timeout(seconds):
                for address in await self._resolved(host, port):
                    try:
                        _, link = await loop.create_connection(_Link, address, port)
                    except OSError as error:
                        failure = error
                    else:
                        self._prefer(host, port, address)
                        return link
        except (OSError, TimeoutError) as error:
            failure = error
        self._addresses.pop((host, port), None)
        said = f"no connection within {seconds:g} s" if isinstance(failure, TimeoutError) else str(failure)
        raise NotReached(said) from failure

    async def _resolved(self, host: str, port: int) -> list[str]:
        """The addresses of a host, asked for now and then: services that close every connection would ask each time."""
        until, addresses = self._addresses.get((host, port), (0.0, []))
        if self._clock() < until:
            return addresses
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        self._addresses[host, port] = (self._clock() + RESOLVED_SECONDS, addresses)
        return addresses

    def _prefer(self, host: str, port: int, address: str) -> None:
        _, addresses = self._addresses.get((host, port), (0.0, []))
        if addresses and addresses[0] != address:
            addresses.remove(address)
            addresses.insert(0, address)
