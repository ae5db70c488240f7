"""The brokers that have to behave alike: the one in memory that unit tests use, and RabbitMQ."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import pytest

from tests.fake_broker import FAILED, URGENT, FakeBroker
from windmill import broker
from windmill.core.settings import Settings
from windmill.edge.retries_and_dead_letters import RepublishTarget

SERVICES = ["clip", "ocr"]
RETRY_DELAY = 0.2


class AnyDelivery(Protocol):
    """What a worker uses of a delivery."""

    @property
    def body(self) -> bytes: ...

    @property
    def headers(self) -> dict[str, Any]: ...

    @property
    def redelivered(self) -> bool: ...

    def acknowledge(self) -> None: ...

    async def requeue(self) -> None: ...


class Deliveries(Protocol):
    """What a worker uses of a consumption."""

    async def start(self, take: Callable[[AnyDelivery], Coroutine[Any, Any, None]], prefetch: int) -> None: ...

    async def stop(self) -> None: ...

    def lost(self) -> bool: ...

    async def depth(self) -> int: ...


class AnyBroker(Protocol):
    """A broker under test. A session that is left is lost, with whatever is unacknowledged in it."""

    retry_delay: float

    @property
    def publisher(self) -> RepublishTarget: ...

    def session(self, service: str) -> AbstractAsyncContextManager[Deliveries]: ...

    def urgent_session(self, service: str) -> AbstractAsyncContextManager[Deliveries]: ...

    def failed_session(self, service: str) -> AbstractAsyncContextManager[Deliveries]: ...

    async def delete(self, service: str) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.retry_delay = RETRY_DELAY
        self._broker = FakeBroker(SERVICES, [RETRY_DELAY])

    @property
    def publisher(self) -> RepublishTarget:
        return self._broker

    def session(self, service: str) -> AbstractAsyncContextManager[Deliveries]:
        return self._broker.consumption(service)

    def urgent_session(self, service: str) -> AbstractAsyncContextManager[Deliveries]:
        return self._broker.consumption(service + URGENT)

    def failed_session(self, service: str) -> AbstractAsyncContextManager[Deliveries]:
        return self._broker.consumption(service + FAILED)

    async def delete(self, service: str) -> None:
        self._broker.delete(service)


class RabbitMQ:
    def __init__(self, opened: broker.Connection, settings: Settings, publisher: broker.Publisher) -> None:
        self.retry_delay = settings.retry_delays[0]
        self._opened = opened
        self._settings = settings
        self._publisher = publisher

    @property
    def publisher(self) -> RepublishTarget:
        return self._publisher

    def session(self, service: str) -> AbstractAsyncContextManager[Deliveries]:
        return self._deliveries(broker.work_queue(self._settings, service))

    def urgent_session(self, service: str) -> AbstractAsyncContextManager[Deliveries]:
        return self._deliveries(broker.urgent_queue(self._settings, service))

    def failed_session(self, service: str) -> AbstractAsyncContextManager[Deliveries]:
        return self._deliveries(broker.failed_queue(self._settings, service))

    async def delete(self, service: str) -> None:
        await broker.delete_queues(self._opened, self._settings, [service])

    @asynccontextmanager
    async def _deliveries(self, queue: str) -> AsyncIterator[Deliveries]:
        async with (
            broker.connection(self._settings, "test") as opened,
            broker.queue_consumer(opened, self._settings, queue) as consumption,
        ):
            yield consumption


@pytest.fixture
async def any_broker(real_settings: Settings | None) -> AsyncIterator[AnyBroker]:
    if real_settings is None:
        yield InMemory()
        return
    async with broker.connection(real_settings, "test") as opened:
        await broker.declare(opened, real_settings, SERVICES)
        async with broker.publisher(opened, real_settings) as publisher:
            yield RabbitMQ(opened, real_settings, publisher)
