"""What surrounds a worker's edge, by hand: deliveries, a service, a table, queues to publish to."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from windmill.broker import Delivery, Headers
from windmill.errors import WindmillError
from windmill.messages import Job, encode
from windmill.outcomes import Stored
from windmill.results import ResultRow
from windmill.services import Service
from workers.edge import Edge

JOB = Job(17, "17.jpg", "/p/17.jpg", None, datetime(2026, 1, 1, tzinfo=UTC), "trace")


@dataclass
class World:
    """Everything around an edge. `events` is what happened in order; the errors are raised once there is one."""

    events: list[str] = field(default_factory=list)
    rows: list[ResultRow] = field(default_factory=list)
    sent: list[tuple[str, float | None, bytes, dict[str, Any]]] = field(default_factory=list)
    unavailable: list[WindmillError] = field(default_factory=list)
    broken: list[WindmillError] = field(default_factory=list)
    answers: int = 0
    call_error: Exception | None = None
    write_errors: list[Exception] = field(default_factory=list)
    send_error: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    calling: int = 0
    most_calling: int = 0

    async def read(self, job: Job) -> bytes:
        return b"pixels"

    async def upload(self, service: Service, image: bytes) -> Stored:
        self.calling += 1
        self.most_calling = max(self.most_calling, self.calling)
        try:
            await self.gate.wait()
        finally:
            self.calling -= 1
        self.events.append("call")
        if self.call_error:
            raise self.call_error
        return Stored('{"predictions": []}', 0.25)

    async def refer(self, service: Service, image_url: str) -> Stored:
        raise AssertionError(f"{service.name} takes uploads; it was handed {image_url}")

    async def write(self, row: ResultRow) -> None:
        if self.write_errors:
            raise self.write_errors.pop(0)
        self.events.append("write")
        self.rows.append(row)

    async def to_retry(self, delay: float, service: str, body: bytes, headers: Headers) -> None:
        self._send("retry", delay, body, headers)

    async def to_failed(self, service: str, body: bytes, headers: Headers) -> None:
        self._send("park", None, body, headers)

    def _send(self, event: str, delay: float | None, body: bytes, headers: Headers) -> None:
        if self.send_error:
            raise self.send_error
        self.events.append(event)
        self.sent.append((event, delay, body, dict(headers)))

    def delivery(self, body: bytes = encode(JOB), /, **headers: object) -> "Delivered":
        return Delivered(self.events, body, headers)

    def note_answer(self) -> None:
        self.answers += 1


@dataclass
class Delivered:
    """A delivery as the broker's client hands it out."""

    events: list[str]
    body: bytes
    headers: dict[str, Any]

    async def ack(self, multiple: bool = False) -> None:
        self.events.append("ack")

    async def nack(self, multiple: bool = False, requeue: bool = True) -> None:
        self.events.append("hand back" if requeue else "drop")


async def take(edge: Edge, delivery: Delivered) -> None:
    async with asyncio.timeout(5):
        await edge.take(cast("Delivery", delivery))
