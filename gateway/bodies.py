"""How much a body may hold, and of which kind it may be. It is counted as it comes, before anything is parsed."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.exceptions import HTTPException

from gateway.host_rules import Headers, values
from windmill.core.errors import WindmillError

MAX_JSON_BYTES = 1_048_576
DISCARDED_BYTES, DISCARD_SECONDS = 1_048_576, 1
FORM = "application/x-www-form-urlencoded"
PIECE = "application/offset+octet-stream"
_FILES = ("multipart/form-data", "application/octet-stream", PIECE, "application/x-ndjson", "application/jsonl")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


def is_json(kind: str) -> bool:
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def body_limit(headers: Headers, most: int, *, to_page: bool = False) -> int:
    """How many bytes this body may have; raises MEDIA_TYPE_UNSUPPORTED or PAYLOAD_TOO_LARGE from its headers alone.
    Pages alone take the plain forms that any page of any site could send: theirs carry a token."""
    lengths = values(headers, "content-length")
    if not values(headers, "transfer-encoding") and (not lengths or lengths == ["0"]):
        return 0
    kinds = [kind.partition(";")[0].strip() for kind in values(headers, "content-type")]
    is_small = len(kinds) == 1 and (is_json(kinds[0]) or (to_page and kinds[0] == FORM))
    if not is_small and (len(kinds) != 1 or kinds[0] not in _FILES):
        raise WindmillError("MEDIA_TYPE_UNSUPPORTED", "the body is neither JSON nor a form with files")
    limit = min(MAX_JSON_BYTES, most) if is_small else most
    if any(not length.isdigit() or int(length[:20]) > limit for length in lengths):
        raise too_large(limit)
    return limit


class CountedBody:
    """The body of a request as it comes; it ends with an error once it is larger than `limit`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._whole = False
        self.limit = 0
        self.taken = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._whole = not (message["type"] == "http.request" and message.get("more_body"))
        self.taken += len(message.get("body", b""))
        if self.taken > self.limit:
            raise HTTPException(413) from too_large(self.limit)
        return message

    async def discard(self, headers: Headers) -> None:
        """Take what is left of a small body that was refused. A connection that is closed while its client still sends
        is reset, and the client may never see the answer. One that asks before it sends has sent nothing."""
        if values(headers, "expect"):
            return
        self.limit = self.taken + DISCARDED_BYTES
        with suppress(HTTPException, TimeoutError):
            async with asyncio.timeout(DISCARD_SECONDS):
                while not self._whole:
                    await self()


def too_large(limit: int) -> WindmillError:
    return WindmillError("PAYLOAD_TOO_LARGE", f"the body has more than {limit:,} bytes")
