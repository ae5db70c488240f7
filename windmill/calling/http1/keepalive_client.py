"""The keep-alive client: a pool of idle connections, and a second try when a reused connection turns out to be
stale."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from windmill.calling.http1.connection import ConnectError, HttpConnection, HttpReply, ProtocolError
from windmill.calling.http1.dns_cache import DnsCache, LookUp, look_up

IDLE_SECONDS = 30.0


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
        self._idle: defaultdict[tuple[str, int], list[HttpConnection]] = defaultdict(list)
        self._sweep: asyncio.TimerHandle | None = None
        self._dns = DnsCache(look_up, clock)
        self._closed = False

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
        self, host: str, port: int, request: Sequence[bytes], *, max_bytes: int, connect_seconds: float
    ) -> HttpReply:
        """Send a complete request and return its reply, whose body may have at most `max_bytes`.

        A request is sent again, on a new connection, if a reused one closed before any byte of a reply arrived.
        """
        connection = self._reusable(host, port)
        if connection:
            try:
                return await self._exchange_over(connection, host, port, request, max_bytes)
            except ProtocolError:
                if connection.received_any:
                    raise
            # Stale: servers close idle connections. If the request itself crashes the server, the second try shows it.
            try:
                connection = await self._connect(host, port, connect_seconds)
            except ConnectError as failure:
                # The server was up a moment ago and had the request: the request may have crashed it.
                raise ProtocolError("the connection was closed, and no new one could be opened") from failure
        else:
            connection = await self._connect(host, port, connect_seconds)
        return await self._exchange_over(connection, host, port, request, max_bytes)

    async def connect(self, host: str, port: int, connect_seconds: float) -> None:
        """Open a connection for the next exchange; raises ConnectError."""
        connection = await self._connect(host, port, connect_seconds)
        if self._closed:
            connection.close()
        else:
            self._keep(connection, host, port)

    async def _exchange_over(
        self, connection: HttpConnection, host: str, port: int, request: Sequence[bytes], max_bytes: int
    ) -> HttpReply:
        try:
            reply = await connection.exchange(request, max_bytes)
        except BaseException:
            connection.close()
            raise
        if self._closed:
            connection.close()
        elif connection.open:
            self._keep(connection, host, port)
        return reply

    def _keep(self, connection: HttpConnection, host: str, port: int) -> None:
        connection.idle_since = self._clock()
        self._idle[host, port].append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._idle_seconds, self._close_expired)

    def _reusable(self, host: str, port: int) -> HttpConnection | None:
        """The connection used last, if it still works; the others may expire."""
        idle = self._idle[host, port]
        while idle:
            connection = idle.pop()
            if connection.is_reusable():
                return connection
            connection.close()
        return None

    def _close_expired(self) -> None:
        """Close what was idle for too long: a burst leaves as many connections as it had exchanges."""
        since = self._clock() - self._idle_seconds
        for where, idle in self._idle.items():
            self._idle[where] = [connection for connection in idle if connection.open and connection.idle_since > since]
            for connection in idle:
                if connection.idle_since <= since:
                    connection.close()
        left = any(self._idle.values())
        again = asyncio.get_running_loop().call_later
        self._sweep = again(self._idle_seconds, self._close_expired) if left else None

    async def _connect(self, host: str, port: int, seconds: float) -> HttpConnection:
        failure: Exception
        try:
            async with asyncio.timeout(seconds):
                return await self._connect_to_any(host, port, seconds)
        except TimeoutError as error:
            failure, said = error, f"no connection within {seconds:g} s"
        except (OSError, ValueError, OverflowError) as error:
            # Invalid host names raise ValueError, invalid ports OverflowError.
            failure, said = error, str(error)
        self._dns.forget(host, port)
        raise ConnectError(said) from failure

    async def _connect_to_any(self, host: str, port: int, seconds: float) -> HttpConnection:
        failure = OSError("the host has no address")
        addresses = await self._dns.resolve(host, port)
        for address in addresses:
            try:
                # An address that drops packets must leave time for the others.
                async with asyncio.timeout(seconds / len(addresses)):
                    _, connection = await asyncio.get_running_loop().create_connection(HttpConnection, address, port)
            except OSError as error:
                failure = error
            else:
                self._dns.prefer(host, port, address)
                return connection
        raise failure
