"""What the broker's package uses of the driver's lower half is there, and by the names that it uses."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from aiormq import Channel, Connection, spec
from aiormq.abc import DeliveredMessage

from windmill.broker.channel import ConsumingChannel
from windmill.core.settings import Settings

SETTINGS = Settings.from_env({})


class Driver:
    """As much of a channel as consuming takes."""

    def __init__(self) -> None:
        self.is_closed = False
        self.consumers: dict[str, object] = {}
        self.asked: list[str] = []

    async def basic_qos(self, *, prefetch_count: int, timeout: float) -> None:
        self.asked.append(f"prefetch {prefetch_count}")

    async def basic_consume(self, queue: str, consumer: object, *, timeout: float) -> SimpleNamespace:
        self.asked.append(f"consume {queue}")
        self.consumers["tag"] = consumer
        return SimpleNamespace(consumer_tag="tag")

    async def basic_cancel(self, tag: str, *, timeout: float) -> None:
        self.asked.append(f"cancel {tag}")
        del self.consumers[tag]


async def ignore(message: DeliveredMessage) -> None:
    pass


def consuming(driver: object) -> ConsumingChannel:
    return ConsumingChannel(cast("Channel", driver), SETTINGS, "queue_clip")


@pytest.mark.parametrize(
    "name",
    ["basic_ack", "basic_cancel", "basic_consume", "basic_publish", "basic_qos", "basic_reject", "queue_declare"],
)
def test_the_drivers_channel_has_the_methods_that_are_used(name: str) -> None:
    assert asyncio.iscoroutinefunction(getattr(Channel, name))


async def test_the_drivers_channel_tells_its_consumers_and_whether_it_is_closed() -> None:
    connection = Connection("amqp://localhost/")  # never opened
    connection.connection_tune = spec.Connection.Tune(channel_max=1, frame_max=131_072, heartbeat=0)
    channel = Channel(connection, 1, publisher_confirms=False)
    assert (channel.consumers, channel.is_closed) == ({}, False)
    await channel.close(timeout=5)
    assert channel.is_closed
    await connection.close()


async def test_a_channel_is_lost_when_its_consumer_is_gone_and_not_when_it_is_stopped() -> None:
    driver = Driver()
    channel = consuming(driver)
    await channel.start(5, ignore)
    assert not channel.lost()
    await channel.stop()
    await channel.stop()
    assert not channel.lost()
    assert driver.asked == ["prefetch 5", "consume queue_clip", "cancel tag"]
    await channel.start(1, ignore)
    driver.consumers.clear()
    assert channel.lost()


async def test_a_channel_that_is_closed_is_lost_and_no_longer_stopped() -> None:
    driver = Driver()
    channel = consuming(driver)
    await channel.start(5, ignore)
    driver.is_closed = True
    assert channel.lost()
    await channel.stop()
    assert driver.asked == ["prefetch 5", "consume queue_clip"]


async def test_a_driver_that_calls_its_consumers_otherwise_is_a_fault_and_not_a_lost_consumer() -> None:
    driver = Driver()
    channel = consuming(driver)
    await channel.start(5, ignore)
    del driver.consumers
    with pytest.raises(AttributeError, match="consumers"):
        channel.lost()
