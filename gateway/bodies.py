"""How much a body may hold, and of which kind it may be. It is counted as it comes, before anything is parsed."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from gateway.host_rules import Headers, values
from windmill.core.errors import WindmillError

MAX_JSON_BYTES = 1_048_576
DROP_SECONDS = 1.0
_FILES = ("multipart/form-data", "application/octet-stream", "application/x-ndjson", "application/jsonl")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


def is_json(kind: str) -> bool:
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def body_limit(headers: Headers, most: int) -> int:
    """How many bytes this body may have; raises MEDIA_TYPE_UNSUPPORTED or PAYLOAD_TOO_LARGE from its headers alone."""
    lengths = values(headers, "content-length")
    if not values(headers, "transfer-encoding") and (not lengths or lengths == ["0"]):
        return 0
    kinds = [kind.partition(";")[0].strip() for kind in values(headers, "content-type")]
    if len(kinds) != 1 or not (is_json(kinds[0]) or kinds[0] in _FILES):
        raise WindmillError("MEDIA_TYPE_UNSUPPORTED", "the body is neither JSON nor a form with files")
    limit = min(MAX_JSON_BYTES, most) if is_json(kinds[0]) else most
    if any(not length.isdigit() or int(length[:20]) > limit for length in lengths):
        raise too_large(limit)
    return limit


def counted(receive: Receive, limit: int) -> Receive:
    """The same body, which ends with an error once it is larger than the limit."""
    taken = 0

    async def receive_some() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413) from too_large(limit)
        return message

    return receive_some


async def drop_body(headers: Headers, receive: Receive) -> None:
    """Read what a client is sending although it is refused, up to a point: one whose connection is closed while it
    sends may never see why. One that asked before sending has sent nothing."""
    dropped, more = 0, not values(headers, "expect")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DROP_SECONDS):
            while more and dropped < MAX_JSON_BYTES:
                message = await receive()
                dropped += len(message.get("body", b""))
                more = message["type"] == "http.request" and message.get("more_body", False)


def too_large(limit: int) -> WindmillError:
    return WindmillError("PAYLOAD_TOO_LARGE", f"the body has more than {limit:,} bytes")
