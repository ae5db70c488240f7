"""Limits set over the management API of a real RabbitMQ."""

from dataclasses import replace

import pytest

from tests.integration.fleet import Fleet
from tests.waiting import until
from windmill import broker
from windmill.broker.management import limit_deliveries
from windmill.core.errors import WindmillError

pytestmark = [pytest.mark.broker, pytest.mark.database]


async def test_a_job_that_is_handed_out_too_often_is_parked_and_not_lost(fleet: Fleet) -> None:
    await fleet.declare("clip")
    limit_deliveries(fleet.settings, ["clip"], limit=2)
    await fleet.put("clip", b"a job over which every worker dies")
    handed_out = 0

    async def die(delivery: broker.Delivery) -> None:
        nonlocal handed_out
        handed_out += 1
        await delivery.requeue()

    async with (
        broker.connection(fleet.settings, "test") as opened,
        broker.queue_consumer(opened, fleet.settings, broker.work_queue(fleet.settings, "clip")) as consumption,
    ):
        await consumption.start(die, 1)
        await until(lambda: fleet.depth("clip", ".failed"))
    [parked] = await fleet.take_all("clip", ".failed")
    assert parked.body == b"a job over which every worker dies"
    assert handed_out == 3


async def test_the_command_makes_queues_and_limits_and_can_be_repeated(fleet: Fleet) -> None:
    for _ in range(2):
        end = await fleet.run("windmill", "declare", "--services", "clip,pose")
        assert (end.code, end.out) == (0, "queues are there: clip, pose\n"), end.err


async def test_without_the_management_api_the_remedy_is_told(fleet: Fleet) -> None:
    with pytest.raises(WindmillError, match="enable rabbitmq_management"):
        limit_deliveries(replace(fleet.settings, queue_management_port=1), ["clip"])


async def test_without_the_management_api_the_queues_are_made_all_the_same(fleet: Fleet) -> None:
    end = await fleet.run("windmill", "declare", "--services", "clip", QUEUE_MANAGEMENT_PORT="1")
    assert (end.code, end.out) == (0, "queues are there: clip\n")
    assert "enable rabbitmq_management" in end.err
    await fleet.put("clip", b"a job")
    await until(lambda: fleet.depth("clip"))
