"""A reader of server-sent events."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson


@dataclass(frozen=True)
class SentEvent:
    """One frame: of an event, or of the gateway's own, which has no id."""

    id: str | None
    name: str
    data: dict[str, Any]


@contextlib.asynccontextmanager
async def streaming(client: httpx.AsyncClient, path: str, **headers: str) -> AsyncIterator[AsyncIterator[SentEvent]]:
    """The events of a stream, for as long as the block runs."""
    sent = {"Accept": "text/event-stream", **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with client.stream("GET", path, headers=sent) as answer:
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
        yield _events(answer)


async def _events(answer: httpx.Response) -> AsyncIterator[SentEvent]:
    found: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line:
            found[name] = value
            continue
        if "data" in found:
            yield SentEvent(found.get("id"), found["event"], orjson.loads(found["data"]))
        found = {}


async def take(events: AsyncIterator[SentEvent], number: int) -> list[SentEvent]:
    return [await anext(events) for _ in range(number)]
