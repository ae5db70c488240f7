"""The network side of a request: reading it, replying, and failing to reply."""

import asyncio
import socket
import struct

from aiohttp import web

from dev.farm.contract import MAX_BYTES
from dev.farm.forms import parse_body
from dev.farm.replies import StandInReply
from dev.farm.sources import Call

MAX_SILENCE_SECONDS = 600.0
_GLANCE_SECONDS = 0.05
_KEPT_BYTES = MAX_BYTES + 256 * 1024
"""More than any accepted body. The rest is read and dropped, so that the client reads the answer."""
_SHARED_HEADERS = {"Access-Control-Allow-Origin": "*", "Server": "windmill-farm"}


async def read_call(request: web.BaseRequest) -> Call:
    """The request with its whole body."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    kept, size = bytearray(), 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        kept += chunk[: max(0, _KEPT_BYTES - len(kept))]
    form = parse_body(request.headers.get("Content-Type", ""), bytes(kept))
    return Call(request.method, request.path, request.query, form, size)


def to_response(reply: StandInReply, *, keep_alive: bool) -> web.Response:
    headers = {**_SHARED_HEADERS, **reply.headers, "Content-Type": reply.content_type}
    response = web.Response(status=reply.status, body=reply.body, headers=headers)
    if not keep_alive:
        response.force_close()
    return response


def is_gone(request: web.BaseRequest) -> bool:
    """Whether the client has disconnected."""
    return request.transport is None or request.transport.is_closing()


async def until_gone(request: web.BaseRequest) -> None:
    """Hang until the client gives up, or a time limit passes."""
    deadline = asyncio.get_running_loop().time() + MAX_SILENCE_SECONDS
    while not is_gone(request) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(_GLANCE_SECONDS)


def reset(request: web.BaseRequest) -> None:
    """End the connection with a TCP reset, as a crashed process does."""
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    if connection is not None and not is_gone(request):
        # Lingering for zero seconds makes closing send RST in place of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


async def send_half(request: web.BaseRequest, reply: StandInReply) -> web.StreamResponse:
    """Announce the whole body, send half of it, and disconnect."""
    response = web.StreamResponse(status=reply.status, headers={**_SHARED_HEADERS, **reply.headers})
    response.content_type = reply.content_type.partition(";")[0]
    response.content_length = len(reply.body)
    response.force_close()
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
