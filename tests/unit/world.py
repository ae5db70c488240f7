"""What surrounds a delivery processor, by hand: deliveries, a service, a table, queues to publish to."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from tests.fake_broker import FakeBroker
from tests.fake_table import FakeTable
from windmill.broker import Delivery, Headers
from windmill.calling.job_handler import JobHandler
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.messages import Job, encode
from windmill.core.outcomes import Stored
from windmill.core.services import Service
from windmill.core.settings import Settings
from windmill.edge.delivery_processor import DeliveryProcessor
from windmill.edge.quarantine import Quarantine
from windmill.edge.session_losses import SessionLosses
from windmill.storage.result_writer import ResultRow

JOB = Job(17, "17.jpg", "/p/17.jpg", None, datetime(2026, 1, 1, tzinfo=UTC), "trace")
ANSWER = Stored('{"predictions": []}', 0.25)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """Everything around a processor. `events` is what happened in order; the errors are raised once there is one."""

    events: list[str] = field(default_factory=list)
    table: FakeTable = field(default_factory=FakeTable)
    broker: FakeBroker = field(default_factory=lambda: FakeBroker(["clip"]))
    sent: list[tuple[str, float | None, bytes, dict[str, Any]]] = field(default_factory=list)
    broken: list[WindmillError] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    changes: int = 0
    away: bool = False
    call_error: Exception | None = None
    canary_error: Exception | None = None
    canary_errors: list[Exception] = field(default_factory=list)
    image_fault: WindmillError | None = None
    read_error: WindmillError | None = None
    write_errors: list[Exception] = field(default_factory=list)
    send_error: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    canary_gate: asyncio.Event = field(default_factory=asyncio.Event)
    calling: int = 0
    most_calling: int = 0

    def __post_init__(self) -> None:
        self.gate.set()
        self.canary_gate.set()
        self.quarantine = Quarantine(clock=self.clock)
        self.losses = SessionLosses()

    @property
    def rows(self) -> list[ResultRow]:
        """Those that were written, in their order."""
        return self.table.written

    async def read(self, job: Job) -> bytes:
        if self.read_error:
            raise self.read_error
        return b"pixels"

    async def check(self, image: bytes) -> WindmillError | None:
        return self.image_fault

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
        return ANSWER

    async def refer(self, service: Service, image_url: str) -> Stored:
        raise AssertionError(f"{service.name} takes uploads; it was handed {image_url}")

    async def canary(self, service: Service) -> Stored:
        self.events.append("canary")
        await self.canary_gate.wait()
        error = self.canary_errors.pop(0) if self.canary_errors else self.canary_error
        if error:
            raise error
        return ANSWER

    async def write(self, row: ResultRow) -> None:
        if self.write_errors:
            raise self.write_errors.pop(0)
        await self.table.write(row)
        self.events.append("write")

    async def to_services(self, body: bytes, services: Sequence[str], headers: Headers) -> None:
        assert list(services) == ["clip"], "a copy goes to the job's own queue only"
        self._send("back", None, body, headers)
        await self.broker.to_services(body, services, headers)

    async def to_retry(self, delay: float, service: str, body: bytes, headers: Headers) -> None:
        self._send("retry", delay, body, headers)

    async def to_failed(self, service: str, body: bytes, headers: Headers) -> None:
        self._send("park", None, body, headers)
        await self.broker.to_failed(service, body, headers)

    def _send(self, event: str, delay: float | None, body: bytes, headers: Headers) -> None:
        if self.send_error:
            raise self.send_error
        self.events.append(event)
        self.sent.append((event, delay, body, dict(headers)))

    def delivery(self, body: bytes = encode(JOB), /, **headers: object) -> "Delivered":
        return Delivered(self.events, body, headers)

    def redelivery(self, **headers: object) -> "Delivered":
        """One that was handed out before."""
        return Delivered(self.events, encode(JOB), headers, redelivered=True)

    def note_change(self) -> None:
        self.changes += 1

    def state(self, service: Service, settings: Settings) -> ServiceState:
        return ServiceState(service, settings, self.canary, clock=self.clock)

    def handler(self) -> JobHandler[Job]:
        return JobHandler(self.read, self, self.check)

    def processor(self, state: ServiceState, settings: Settings, *, urgent: bool = False) -> DeliveryProcessor:
        return DeliveryProcessor(
            state,
            settings,
            self.handler(),
            self,
            self,
            self.quarantine,
            self.losses,
            urgent=urgent,
            on_change=self.note_change,
            on_broken=self.broken.append,
        )


@dataclass
class Delivered:
    """A delivery as the broker's package hands it out."""

    events: list[str]
    body: bytes
    headers: dict[str, Any]
    redelivered: bool = False

    def acknowledge(self) -> None:
        self.events.append("ack")

    async def requeue(self) -> None:
        self.events.append("hand back")


async def take(processor: DeliveryProcessor, delivery: Delivered) -> None:
    async with asyncio.timeout(5):
        await processor.process(cast("Delivery", delivery))
