"""One HTTP/1.1 connection, its replies, and its errors.

HttpError
├── ConnectError        no connection: refused, no such host, no answer in time
│   └── TlsError        the other side cannot prove who it is, or does not speak TLS
├── ProtocolError       the connection ended in the middle of the reply, or the bytes are not HTTP
│   └── MismatchedReply the reply answers another request
└── ReplyTooLarge
"""

import asyncio
import os
import select
import socket
from collections.abc import Sequence
from typing import NamedTuple, cast

import httptools

_KEPT_HEADERS = (b"content-length", b"transfer-encoding", b"content-encoding", b"retry-after", b"x-request-id")
# Limits for everything but the body: header lines, interim replies, chunk framing, trailers. A body in chunks of one
# byte has five bytes of framing for each.
_MAX_OVERHEAD = 65_536
_MAX_OVERHEAD_PER_BYTE = 8
MAX_ERROR_BYTES = 65_536
"""A reply with another status than 200 ends here: its status says what matters, and the rest is an explanation."""


class HttpError(Exception):
    """There is no complete reply; the text says why."""


class ConnectError(HttpError):
    pass


class TlsError(ConnectError):
    pass


class ProtocolError(HttpError):
    pass


class MismatchedReply(ProtocolError):
    pass


class ReplyTooLarge(HttpError):
    pass


class HttpReply(NamedTuple):
    """A complete reply, with the few headers that matter to a worker, names in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class HttpConnection(asyncio.Protocol):
    """Carries one exchange at a time; closes itself after a reply that rules out reuse."""

    _transport: asyncio.Transport
    _parser: httptools.HttpResponseParser

    def __init__(self) -> None:
        self.open = False
        self.idle_since = 0.0
        self.received_any = False
        """Whether the last exchange received any byte."""
        self.exchanges = 0
        self.surplus = False
        """Whether it received bytes that no request had asked for."""
        self._poll: select.poll | None = None
        self._answer: asyncio.Future[HttpReply | HttpError] | None = None
        self._max_bytes = 0
        self._reset()

    def _reset(self) -> None:
        """Prepare for the next reply."""
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._received = 0

    def is_reusable(self) -> bool:
        """Whether it is open and has no unread data, not even in the socket's buffer.

        Unsolicited data would be mistaken for the reply to the next request.
        """
        if not self.open:
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._descriptor(), select.POLLIN)
        if not self._poll.poll(0):
            return True
        self.surplus = self.surplus or self._has_unread_data()
        return False

    def _descriptor(self) -> int:
        return int(self._transport.get_extra_info("socket").fileno())

    def _has_unread_data(self) -> bool:
        """Whether the socket is readable because of data, not because the other side closed it. With TLS nobody knows:
        the data may be a session ticket or the announcement of the close."""
        if self._transport.get_extra_info("ssl_object"):
            return False
        with socket.socket(fileno=os.dup(self._descriptor())) as twin:
            try:
                return bool(twin.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
            except OSError:
                return False

    async def exchange(self, request: Sequence[bytes], max_bytes: int) -> HttpReply:
        """Send a request and wait for its reply. A caller that stops waiting has to close the connection."""
        self.received_any, self._max_bytes = False, max_bytes
        self.exchanges += 1
        if not self.open:
            raise ProtocolError("the connection was closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.writelines(request)
        outcome = await self._answer
        if isinstance(outcome, HttpError):
            raise outcome
        return outcome

    def close(self) -> None:
        if self.open:
            self.open = False
            self._transport.abort()

    # asyncio.Protocol callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports do not inherit from asyncio's
        self._parser = httptools.HttpResponseParser(self)
        self.open = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.surplus = True
            self.close()
            return
        self.received_any = True
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(ProtocolError(f"the bytes received are not HTTP: {error}"))
        if self._received - self._size > _MAX_OVERHEAD + _MAX_OVERHEAD_PER_BYTE * self._size:
            self._fail(ProtocolError("the header lines or the framing of chunks are too long"))

    def eof_received(self) -> None:
        # Otherwise asyncio first sends the rest of the request, to a peer that may not read any more.
        self._ended(None)
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._ended(exc)
        del self._parser  # it refers back to this object

    def _ended(self, exc: Exception | None) -> None:
        framed = {b"content-length", b"transfer-encoding"} & self._headers.keys()
        if self._status and not framed and not exc:
            self._finish()  # a reply without a length ends with its connection
        else:
            self._end(ProtocolError(str(exc or "the connection was closed")))

    # httptools callbacks

    def on_message_begin(self) -> None:
        if self._answer is None:
            self.surplus = True
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _KEPT_HEADERS and not self._status:  # later ones are trailers
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 100:
            self._fail(ProtocolError(f"{status} is not an HTTP status"))
        self._status = status if status >= 200 else 0
        if self._status not in (0, 200):
            self._max_bytes = min(self._max_bytes, MAX_ERROR_BYTES)
            return
        length = self._headers.get(b"content-length")
        if length and int(length) > self._max_bytes:
            self._fail(ReplyTooLarge())

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= self._max_bytes:
            self._parts.append(body)
        elif self._status == 200:
            self._fail(ReplyTooLarge())
        else:
            self._parts.append(body[: self._max_bytes - self._size])
            self.close()
            self._finish()

    def on_message_complete(self) -> None:
        if not self._status:
            self._headers = {}  # an interim reply such as 100; the real one follows
            return
        if not self._can_be_reused():
            self.close()
        self._finish()

    def _can_be_reused(self) -> bool:
        """Whether the next reply will belong to the next request.

        A server may reject an image before it has read it all, and then take the rest for another request.
        """
        return self._status < 300 and self._parser.should_keep_alive() and not self._transport.get_write_buffer_size()

    def _finish(self) -> None:
        self._end(HttpReply(self._status, self._headers, b"".join(self._parts)))

    def _fail(self, failure: HttpError) -> None:
        self.close()
        self._end(failure)

    def _end(self, outcome: HttpReply | HttpError) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(outcome)
        self._answer = None
        self._reset()
