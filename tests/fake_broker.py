"""A broker in memory, as far as a worker uses one. `tests/conformance/broker` holds it against the real one."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.messages import is_urgent
from windmill.core.services import URGENT_SUFFIX

FAILED = ".failed"
URGENT = URGENT_SUFFIX
TakeFake = Callable[["FakeDelivery"], Coroutine[Any, Any, None]]


@dataclass(eq=False)
class FakeMessage:
    """A message in a queue; `returned` is how often it came back to it."""

    body: bytes
    headers: dict[str, Any]
    returned: int = 0


@dataclass
class FakeQueue:
    """Messages in their order, and who is told of new ones."""

    messages: deque[FakeMessage] = field(default_factory=deque)
    consumptions: list["FakeConsumption"] = field(default_factory=list)

    def hand_out(self) -> None:
        for consumption in self.consumptions:
            consumption.fill()


class FakeBroker:
    """Work, urgent and failed queues of `services`; tiers for `retry_delays`, or for any delay where they are None."""

    def __init__(self, services: Sequence[str], retry_delays: Sequence[float] | None = None) -> None:
        self.queues = {service + kind: FakeQueue() for service in services for kind in ("", URGENT, FAILED)}
        self._retry_delays = retry_delays

    async def to_services(self, body: bytes, services: Sequence[str], headers: Mapping[str, Any] | None = None) -> None:
        # As in the broker, only the first queue has to be there: the others are named in a header.
        self._must_be_there(services[0])
        for service in services:
            self._put(_queue_of_job(service, headers or {}), body, headers or {})

    async def to_retry(self, delay: float, service: str, body: bytes, headers: Mapping[str, Any]) -> None:
        if self._retry_delays is not None and delay not in self._retry_delays:
            raise WindmillError("BROKER_UNAVAILABLE", f"there is no tier of {delay} s")
        asyncio.get_running_loop().call_later(delay, self._put, _queue_of_job(service, headers), body, headers)

    async def to_failed(self, service: str, body: bytes, headers: Mapping[str, Any]) -> None:
        self._must_be_there(service + FAILED)
        self._put(service + FAILED, body, headers)

    def delete(self, service: str) -> None:
        """The queues of a service, with all that is in them; who consumes them is told nothing."""
        for kind in ("", URGENT, FAILED):
            del self.queues[service + kind]

    @asynccontextmanager
    async def consumption(self, queue: str) -> AsyncIterator["FakeConsumption"]:
        """Deliveries of one session; what is unacknowledged at its end goes back."""
        one = FakeConsumption(self, queue)
        self.queues[queue].consumptions.append(one)
        try:
            yield one
        finally:
            one.end()

    def _must_be_there(self, queue: str) -> None:
        if queue not in self.queues:
            raise WindmillError("BROKER_UNAVAILABLE", f"no queue took a message for {queue}")

    def _put(self, queue: str, body: bytes, headers: Mapping[str, Any]) -> None:
        if there := self.queues.get(queue):
            there.messages.append(FakeMessage(body, dict(headers)))
            there.hand_out()


def _queue_of_job(service: str, headers: Mapping[str, Any]) -> str:
    return service + URGENT if is_urgent(headers) else service


class FakeConsumption:
    """One queue's deliveries."""

    def __init__(self, broker: FakeBroker, queue: str) -> None:
        self._broker = broker
        self._name = queue
        self._queue = broker.queues[queue]
        self._take: TakeFake | None = None
        self._prefetch = 0
        self._held: list[FakeMessage] = []
        self._taking: set[asyncio.Task[None]] = set()

    async def start(self, take: TakeFake, prefetch: int) -> None:
        self._take, self._prefetch = take, prefetch
        self.fill()

    async def stop(self) -> None:
        self._take = None

    def lost(self) -> bool:
        return self._take is not None and self._name not in self._broker.queues

    async def depth(self) -> int:
        return len(self._queue.messages)

    def fill(self) -> None:
        """Hand out as much as may be held."""
        while self._take and self._queue.messages and len(self._held) < self._prefetch:
            message = self._queue.messages.popleft()
            self._held.append(message)
            task = asyncio.ensure_future(self._take(FakeDelivery(self, message)))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    def acknowledge(self, message: FakeMessage) -> None:
        if message in self._held:
            self._held.remove(message)
            self.fill()

    def hand_back(self, message: FakeMessage) -> None:
        if message in self._held:
            self._held.remove(message)
            self._give_back([message])

    def end(self) -> None:
        self._take = None
        self._queue.consumptions.remove(self)
        held, self._held = self._held, []
        self._give_back(held)

    def _give_back(self, messages: Sequence[FakeMessage]) -> None:
        for message in messages:
            message.returned += 1
        self._queue.messages.extendleft(reversed(messages))
        self._queue.hand_out()


class FakeDelivery:
    """A message in hand."""

    def __init__(self, consumption: FakeConsumption, message: FakeMessage) -> None:
        self.body = message.body
        self.headers = message.headers | ({"x-delivery-count": message.returned} if message.returned else {})
        self.redelivered = message.returned > 0
        self._consumption = consumption
        self._message = message

    def acknowledge(self) -> None:
        self._consumption.acknowledge(self._message)

    async def requeue(self) -> None:
        self._consumption.hand_back(self._message)
