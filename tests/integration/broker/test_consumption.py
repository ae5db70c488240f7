"""Watched consumption, on a real RabbitMQ: handing out, acknowledging, handing back and losing."""

import asyncio

import pytest

from tests.integration.fleet import Fleet
from tests.waiting import settled, turns, until
from windmill import broker
from windmill.core.settings import Settings

pytestmark = pytest.mark.broker


async def acknowledge(delivery: broker.Delivery) -> None:
    delivery.acknowledge()


async def test_consumption_is_lost_when_its_queue_is_deleted(
    opened: broker.Connection, settings: Settings, publisher: broker.Publisher
) -> None:
    async with broker.queue_consumer(opened, settings, broker.work_queue(settings, "clip")) as consumption:
        await consumption.start(acknowledge, 10)
        assert not consumption.lost()
        async with opened.channel() as channel:
            await channel.queue_delete(broker.work_queue(settings, "clip"))
        await until(consumption.lost, 5, "noticed")


async def test_consumption_is_lost_when_the_broker_closes_its_channel(
    opened: broker.Connection, settings: Settings, publisher: broker.Publisher
) -> None:
    async def twice(delivery: broker.Delivery) -> None:
        await delivery.requeue()
        await delivery._channel.basic_nack(delivery._tag)

    async with broker.queue_consumer(opened, settings, broker.work_queue(settings, "clip")) as consumption:
        await consumption.start(twice, 10)
        await publisher.to_services(b"refused twice, which the broker forbids", ["clip"])
        await until(consumption.lost, 5, "noticed")


async def test_a_stopped_consumption_is_not_lost_and_starts_again(
    opened: broker.Connection, settings: Settings, publisher: broker.Publisher, fleet: Fleet
) -> None:
    async with broker.queue_consumer(opened, settings, broker.work_queue(settings, "clip")) as consumption:
        await consumption.start(acknowledge, 10)
        await consumption.stop()
        assert not consumption.lost()
        await consumption.stop()
        await publisher.to_services(b"job", ["clip"])
        assert await consumption.depth() == 1, "nothing comes while it is stopped"
        await consumption.start(acknowledge, 10)
        await until(lambda: nothing_waits(consumption), 5, "the delivery")
    assert await fleet.depth("clip") == 0


async def nothing_waits(consumption: broker.Consumer) -> bool:
    return await consumption.depth() == 0


async def test_no_more_is_handed_out_than_was_asked_for(
    opened: broker.Connection, settings: Settings, publisher: broker.Publisher
) -> None:
    taken: list[broker.Delivery] = []

    async def keep(delivery: broker.Delivery) -> None:
        taken.append(delivery)

    for number in range(5):
        await publisher.to_services(b"%d" % number, ["clip"])
    async with broker.queue_consumer(opened, settings, broker.work_queue(settings, "clip")) as consumption:
        await consumption.start(keep, 2)
        await until(lambda: len(taken) == 2, 5, "two")
        assert await consumption.depth() == 3  # which the queue tells after all that it hands out
        await settled()
        assert len(taken) == 2
        taken[1].acknowledge()
        await until(lambda: len(taken) == 3, 5, "one more")
        assert [delivery.body for delivery in taken] == [b"0", b"1", b"2"]


async def test_what_is_acknowledged_in_any_order_is_gone_and_the_rest_comes_again(
    opened: broker.Connection, settings: Settings, publisher: broker.Publisher, fleet: Fleet
) -> None:
    taken: list[broker.Delivery] = []

    async def keep(delivery: broker.Delivery) -> None:
        taken.append(delivery)

    for number in range(10):
        await publisher.to_services(b"%d" % number, ["clip"])
    async with broker.queue_consumer(opened, settings, broker.work_queue(settings, "clip")) as consumption:
        await consumption.start(keep, 20)
        await until(lambda: len(taken) == 10, 5, "all")
        for position in (1, 0, 2, 9, 5, 4):
            taken[position].acknowledge()
    await until(lambda: fleet.depth("clip"), 5, "the rest")
    assert sorted(message.body for message in await fleet.take_all("clip")) == [b"3", b"6", b"7", b"8"]


async def test_a_job_that_is_handed_back_comes_again_and_says_so(
    opened: broker.Connection, settings: Settings, publisher: broker.Publisher
) -> None:
    seen: list[tuple[bool, object]] = []

    async def take(delivery: broker.Delivery) -> None:
        seen.append((delivery.redelivered, delivery.headers.get("x-delivery-count")))
        if len(seen) < 3:
            await delivery.requeue()
        else:
            delivery.acknowledge()

    await publisher.to_services(b"job", ["clip"])
    async with broker.queue_consumer(opened, settings, broker.work_queue(settings, "clip")) as consumption:
        await consumption.start(take, 10)
        await until(lambda: len(seen) == 3, 5, "the job for the third time")
    assert seen == [(False, None), (True, 1), (True, 2)]


async def left_behind(opened: broker.Connection, settings: Settings, publisher: broker.Publisher) -> broker.Delivery:
    """A job that was handed out on a channel that is gone."""
    taken: list[broker.Delivery] = []

    async def keep(delivery: broker.Delivery) -> None:
        taken.append(delivery)

    await publisher.to_services(b"job", ["clip"])
    async with broker.queue_consumer(opened, settings, broker.work_queue(settings, "clip")) as consumption:
        await consumption.start(keep, 10)
        await until(lambda: taken, 5, "the delivery")
    return taken[0]


async def test_acknowledging_on_a_channel_that_is_gone_is_nothing_and_the_job_comes_again(
    opened: broker.Connection, settings: Settings, publisher: broker.Publisher, fleet: Fleet
) -> None:
    taken = await left_behind(opened, settings, publisher)
    taken.acknowledge()
    await turns(1)
    await until(lambda: fleet.depth("clip"), 5, "the job")


async def test_handing_back_on_a_channel_that_is_gone_is_nothing_and_the_job_comes_again(
    opened: broker.Connection, settings: Settings, publisher: broker.Publisher, fleet: Fleet
) -> None:
    taken = await left_behind(opened, settings, publisher)
    await taken.requeue()
    await until(lambda: fleet.depth("clip"), 5, "the job")


async def test_what_is_under_way_when_the_channel_closes_goes_on(
    opened: broker.Connection, settings: Settings, publisher: broker.Publisher
) -> None:
    """A service does not stop because a worker no longer waits; one that bears no second call must not get it yet."""
    go_on = asyncio.Event()
    ends: list[str] = []

    async def call(delivery: broker.Delivery) -> None:
        await go_on.wait()
        delivery.acknowledge()
        ends.append("answered")

    await publisher.to_services(b"job", ["clip"])
    async with broker.queue_consumer(opened, settings, broker.work_queue(settings, "clip")) as consumption:
        await consumption.start(call, 10)
        await until(lambda: nothing_waits(consumption), 5, "the delivery")
    go_on.set()
    await until(lambda: ends, 5, "the end")
