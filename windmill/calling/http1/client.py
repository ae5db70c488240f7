"""Exchanges over connections that are kept: how one is found, kept, let go of, and replaced when it has died."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from windmill.calling.http1.addresses import Addresses, LookUp, look_up
from windmill.calling.http1.link import CutOff, Link, NotReached, Reply

IDLE_SECONDS = 30.0


class Http1Client:
    """Exchanges with any number of servers; as many connections at a time as there are exchanges."""

    def __init__(
        self,
        *,
        idle_seconds: float = IDLE_SECONDS,
        look_up: LookUp = look_up,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._idle: defaultdict[tuple[str, int], list[Link]] = defaultdict(list)
        self._sweep: asyncio.TimerHandle | None = None
        self._addresses = Addresses(look_up, clock)
        self._closed = False

    def close(self) -> None:
        """Let go of the connections that idle; those in use follow when their exchange has ended."""
        self._closed = True
        if self._sweep:
            self._sweep.cancel()
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

    async def _over(self, link: Link, host: str, port: int, request: Sequence[bytes], most: int) -> Reply:
        try:
            reply = await link.exchange(request, most)
        except BaseException:
            link.close()
            raise
        if self._closed:
            link.close()
        elif link.open:
            self._keep(link, host, port)
        return reply

    def _keep(self, link: Link, host: str, port: int) -> None:
        link.idle_since = self._clock()
        self._idle[host, port].append(link)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._idle_seconds, self._let_go)

    def _kept(self, host: str, port: int) -> Link | None:
        """The connection that was used last, if it is still good; the others may idle until they are let go."""
        links = self._idle[host, port]
        while links:
            link = links.pop()
            if link.silent():
                return link
            link.close()
        return None

    def _let_go(self) -> None:
        """Close what idled for long: a burst leaves as many connections as it had exchanges."""
        since = self._clock() - self._idle_seconds
        for where, links in self._idle.items():
            self._idle[where] = [link for link in links if link.open and link.idle_since > since]
            for link in links:
                if link.idle_since <= since:
                    link.close()
        left = any(self._idle.values())
        again = asyncio.get_running_loop().call_later
        self._sweep = again(self._idle_seconds, self._let_go) if left else None

    async def _connect(self, host: str, port: int, seconds: float) -> Link:
        failure: Exception
        try:
            async with asyncio.timeout(seconds):
                return await self._first_that_answers(host, port, seconds)
        except TimeoutError as error:
            failure, said = error, f"no connection within {seconds:g} s"
        except (OSError, ValueError, OverflowError) as error:
            # Names that cannot be one raise ValueErrors, ports that cannot be one OverflowErrors.
            failure, said = error, str(error)
        self._addresses.forget(host, port)
        raise NotReached(said) from failure

    async def _first_that_answers(self, host: str, port: int, seconds: float) -> Link:
        failure = OSError("the host has no address")
        addresses = await self._addresses.of(host, port)
        for address in addresses:
            try:
                # One that drops what comes must leave time for the others.
                async with asyncio.timeout(seconds / len(addresses)):
                    _, link = await asyncio.get_running_loop().create_connection(Link, address, port)
            except OSError as error:
                failure = error
            else:
                self._addresses.prefer(host, port, address)
                return link
        raise failure
