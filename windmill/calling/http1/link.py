"""One connection to a server, its replies, and the ways of not getting one.

HttpFailure
├── NotReached      no connection: refused, no such host, no answer to the knock
├── CutOff          the connection ended before the reply did, or what came is no reply
└── ReplyTooLarge
"""

import asyncio
import select
from collections.abc import Sequence
from typing import NamedTuple, cast

import httptools

_KEPT_HEADERS = (b"content-length", b"transfer-encoding", b"content-encoding", b"retry-after")
# What a reply may have beside its body: header lines, interim replies, the frames of chunks, trailers. A server that
# sends a body in chunks of one byte needs five bytes for each.
_MOST_BESIDE = 65_536
_BESIDE_EACH_BYTE = 8


class HttpFailure(Exception):
    """There is no whole reply; the text says why."""


class NotReached(HttpFailure):
    pass


class CutOff(HttpFailure):
    pass


class ReplyTooLarge(HttpFailure):
    pass


class Reply(NamedTuple):
    """A reply in full; of its headers only what a worker looks at, names in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Link(asyncio.Protocol):
    """Carries one exchange at a time; closes itself after a reply that rules out another exchange."""

    _transport: asyncio.Transport
    _parser: httptools.HttpResponseParser

    def __init__(self) -> None:
        self.open = False
        self.idle_since = 0.0
        self.heard = False
        """Whether anything came back in the last exchange."""
        self._poll: select.poll | None = None
        self._answer: asyncio.Future[Reply | HttpFailure] | None = None
        self._most = 0
        self._forget()

    def _forget(self) -> None:
        """Nothing of a reply has come."""
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._received = 0

    def silent(self) -> bool:
        """Whether it is open and nothing has come since the last reply, not even what the loop has yet to read.

        What a server says unasked would otherwise be taken for the reply to the next request.
        """
        if not self.open:
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._poll.poll(0)

    async def exchange(self, request: Sequence[bytes], most: int) -> Reply:
        """Send a request and wait for its reply; whoever stops waiting closes the link."""
        self.heard, self._most = False, most
        if not self.open:
            raise CutOff("the connection was closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.writelines(request)
        outcome = await self._answer
        if isinstance(outcome, HttpFailure):
            raise outcome
        return outcome

    def close(self) -> None:
        if self.open:
            self.open = False
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are of no class of asyncio's
        self._parser = httptools.HttpResponseParser(self)
        self.open = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.close()  # nobody asked
            return
        self.heard = True
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(CutOff(f"what came is not HTTP: {error}"))
        if self._received - self._size > _MOST_BESIDE + _BESIDE_EACH_BYTE * self._size:
            self._fail(CutOff("there is no end of header lines or of what frames the chunks"))

    def eof_received(self) -> None:
        # Otherwise asyncio first sends what is left of the request, which nobody may be there to read.
        self._ended(None)
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._ended(exc)
        del self._parser  # it refers to the link

    def _ended(self, exc: Exception | None) -> None:
        framed = {b"content-length", b"transfer-encoding"} & self._headers.keys()
        if self._status and not framed and not exc:
            self._finish()  # a reply without a length ends with its connection
        else:
            self._end(CutOff(str(exc or "the connection was closed")))

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._answer is None:
            self.close()  # more than was asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _KEPT_HEADERS and not self._status:  # later ones are trailers
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 100:
            self._fail(CutOff(f"there is no status {status}"))
        self._status = status if status >= 200 else 0
        length = self._headers.get(b"content-length")
        if length and int(length) > self._most:
            self._fail(ReplyTooLarge())

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > self._most:
            self._fail(ReplyTooLarge())
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        if not self._status:
            self._headers = {}  # an interim reply such as 100; the real one follows
            return
        if not self._leaves_nothing():
            self.close()
        self._finish()

    def _leaves_nothing(self) -> bool:
        """Whether the next reply will be one to the next request.

        A server that refuses an image may do so before it has read it, and take the rest for another request.
        """
        return self._status < 300 and self._parser.should_keep_alive() and not self._transport.get_write_buffer_size()

    def _finish(self) -> None:
        self._end(Reply(self._status, self._headers, b"".join(self._parts)))

    def _fail(self, failure: HttpFailure) -> None:
        self.close()
        self._end(failure)

    def _end(self, outcome: Reply | HttpFailure) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(outcome)
        self._answer = None
        self._forget()
