"""The keep-alive client: a pool of idle connections, and a second try when a reused connection turns out to be
stale."""

import asyncio
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from windmill.calling.http1.connection import (
    ConnectError,
    HttpConnection,
    HttpReply,
    MismatchedReply,
    ProtocolError,
    TlsError,
)
from windmill.calling.http1.dns_cache import DnsCache, LookUp, look_up

IDLE_SECONDS = 30.0
MAX_EXCHANGES = 50
"""Exchanges of one connection. A service that sends one reply too many shifts all later ones of the connection by one,
and nobody can tell replies without an id apart; so the damage of each surplus reply is limited to so many."""


class HttpServer(NamedTuple):
    """Where requests go; `tls` is None for plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class Http1Client:
    """Talks to any number of servers, over as many connections as there are exchanges in flight."""

    def __init__(
        self,
        *,
        idle_seconds: float = IDLE_SECONDS,
        look_up: LookUp = look_up,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._idle: defaultdict[HttpServer, list[HttpConnection]] = defaultdict(list)
        self._sweep: asyncio.TimerHandle | None = None
        self._dns = DnsCache(look_up, clock)
        self._closed = False
        self.surplus_connections: Counter[HttpServer] = Counter()
        """Connections that were closed because more came over them than the replies to their requests."""

    def close(self) -> None:
        """Close the idle connections; those in use close when their exchange ends."""
        self._closed = True
        if self._sweep:
            self._sweep.cancel()
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()

    async def exchange(
        self,
        server: HttpServer,
        request: Sequence[bytes],
        *,
        max_bytes: int,
        connect_seconds: float,
        belongs: Callable[[HttpReply], bool] = lambda _: True,
    ) -> HttpReply:
        """Send a complete request and return its reply, whose body may have at most `max_bytes`. `belongs` tells
        whether it is the reply to this request.

        A request is sent again, on a new connection, if a reused one closed before any byte of a reply arrived.
        """
        connection = self._reusable(server)
        if connection:
            try:
                return await self._exchange_over(connection, server, request, max_bytes, belongs)
            except ProtocolError:
                if connection.received_any:
                    raise
            # Stale: servers close idle connections. If the request itself crashes the server, the second try shows it.
            try:
                connection = await self._connect(server, connect_seconds)
            except ConnectError as failure:
                # The server was up a moment ago and had the request: the request may have crashed it.
                raise ProtocolError("the connection was closed, and no new one could be opened") from failure
        else:
            connection = await self._connect(server, connect_seconds)
        return await self._exchange_over(connection, server, request, max_bytes, belongs)

    async def connect(self, server: HttpServer, connect_seconds: float) -> None:
        """Open a connection for the next exchange; raises ConnectError."""
        connection = await self._connect(server, connect_seconds)
        if self._closed:
            connection.close()
        else:
            self._keep(connection, server)

    async def _exchange_over(
        self,
        connection: HttpConnection,
        server: HttpServer,
        request: Sequence[bytes],
        max_bytes: int,
        belongs: Callable[[HttpReply], bool],
    ) -> HttpReply:
        try:
            reply = await connection.exchange(request, max_bytes)
            if not belongs(reply):
                connection.surplus = True
                raise MismatchedReply("the reply answers another request")
        except BaseException:
            self._discard(connection, server)
            raise
        if self._closed or connection.exchanges >= MAX_EXCHANGES or not connection.open:
            self._discard(connection, server)
        else:
            self._keep(connection, server)
        return reply

    def _discard(self, connection: HttpConnection, server: HttpServer) -> None:
        connection.close()
        if connection.surplus:
            self.surplus_connections[server] += 1

    def _keep(self, connection: HttpConnection, server: HttpServer) -> None:
        connection.idle_since = self._clock()
        self._idle[server].append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._idle_seconds, self._close_expired)

    def _reusable(self, server: HttpServer) -> HttpConnection | None:
        """The connection used last, if it still works; the others may expire."""
        idle = self._idle[server]
        while idle:
            connection = idle.pop()
            if connection.is_reusable():
                return connection
            self._discard(connection, server)
        return None

    def _close_expired(self) -> None:
        """Close what was idle for too long: a burst leaves as many connections as it had exchanges."""
        since = self._clock() - self._idle_seconds
        for server, idle in self._idle.items():
            kept = [connection for connection in idle if connection.open and connection.idle_since > since]
            for connection in idle:
                if not connection.open or connection.idle_since <= since:
                    self._discard(connection, server)
            self._idle[server] = kept
        left = any(self._idle.values())
        again = asyncio.get_running_loop().call_later
        self._sweep = again(self._idle_seconds, self._close_expired) if left else None

    async def _connect(self, server: HttpServer, seconds: float) -> HttpConnection:
        failure: Exception
        kind = ConnectError
        try:
            async with asyncio.timeout(seconds):
                return await self._connect_to_any(server, seconds)
        except TimeoutError as error:
            failure, said = error, f"no connection within {seconds:g} s"
        except ssl.SSLError as error:
            failure, said, kind = error, _tls_failure(error), TlsError
        except (OSError, ValueError, OverflowError) as error:
            # Invalid host names raise ValueError, invalid ports OverflowError.
            failure, said = error, str(error)
        self._dns.forget(server.host, server.port)
        raise kind(said) from failure

    async def _connect_to_any(self, server: HttpServer, seconds: float) -> HttpConnection:
        failure = OSError("the host has no address")
        host, port = server.host, server.port
        addresses = await self._dns.resolve(host, port)
        name = host if server.tls else None
        # An address that drops packets must leave time for the others.
        share = seconds / len(addresses) if len(addresses) > 1 else None
        for address in addresses:
            try:
                async with asyncio.timeout(share):
                    _, connection = await asyncio.get_running_loop().create_connection(
                        HttpConnection, address, port, ssl=server.tls, server_hostname=name
                    )
            except OSError as error:
                failure = error
            else:
                self._dns.prefer(host, port, address)
                return connection
        raise failure


def _tls_failure(error: ssl.SSLError) -> str:
    """What went wrong with TLS, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
