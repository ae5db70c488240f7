"""Queues and confirmed publishing, on a real RabbitMQ."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from aiormq import spec

from tests.integration.broker.queues import SERVICES
from tests.integration.fleet import Fleet
from tests.integration.proxy import Proxy
from tests.waiting import until
from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.messages import headers_to_keep
from windmill.core.settings import Settings

pytestmark = pytest.mark.broker


async def test_one_publish_reaches_every_named_service_and_nobody_else(
    publisher: broker.Publisher, fleet: Fleet
) -> None:
    await publisher.to_services(b"one", ["yolov8", "clip"])
    await publisher.to_services(b"two", ["clip"])
    assert [message.body for message in await fleet.take_all("clip")] == [b"one", b"two"]
    assert [message.body for message in await fleet.take_all("yolov8")] == [b"one"]
    for service in SERVICES:
        assert await fleet.depth(service) == 0
        assert await fleet.depth(service, ".failed") == 0


async def test_a_service_is_not_told_who_else_got_the_message(publisher: broker.Publisher, fleet: Fleet) -> None:
    await publisher.to_services(b"one", ["yolov8", "clip"])
    assert [message.headers for message in await fleet.take_all("clip")] == [{}]


async def test_publishing_to_a_queue_that_does_not_exist_raises(publisher: broker.Publisher) -> None:
    with pytest.raises(WindmillError, match="no queue took") as caught:
        await publisher.to_services(b"lost?", ["extra"])
    assert caught.value.code == "BROKER_UNAVAILABLE"


async def test_publishing_to_a_retry_tier_that_does_not_exist_raises(publisher: broker.Publisher) -> None:
    with pytest.raises(WindmillError) as caught:
        await publisher.to_retry(12345.0, "clip", b"lost?", {})
    assert caught.value.code == "BROKER_UNAVAILABLE"


async def test_a_retried_job_comes_back_to_its_own_queue_after_the_delay_with_its_headers(
    publisher: broker.Publisher, fleet: Fleet
) -> None:
    started = time.monotonic()
    await publisher.to_retry(0.4, "ocr", b"again", {"windmill-attempt": 2})
    assert await fleet.depth("ocr") == 0

    async def back() -> int:
        return await fleet.depth("ocr")

    await until(back, 10, "the job")
    assert 0.8 * 0.4 <= time.monotonic() - started < 5
    [message] = await fleet.take_all("ocr")
    assert message.body == b"again"
    assert message.headers["windmill-attempt"] == 2
    assert await fleet.depth("clip") == 0


async def test_what_is_retried_again_and_again_keeps_coming_back(publisher: broker.Publisher, fleet: Fleet) -> None:
    """The broker drops messages that it believes to run in circles; copies without its own headers are new to it."""
    headers: dict[str, Any] = {}
    await publisher.to_retry(0.2, "ocr", b"again", headers)
    for attempt in range(2, 5):
        await until(lambda: fleet.depth("ocr"), 10, f"attempt {attempt}")
        [message] = await fleet.take_all("ocr")
        headers = headers_to_keep(message.headers) | {"windmill-attempt": attempt}
        await publisher.to_retry(0.2, "ocr", message.body, headers)
    await until(lambda: fleet.depth("ocr"), 10, "the last attempt")


async def test_declaring_twice_is_fine(opened: broker.Connection, settings: Settings) -> None:
    await broker.declare(opened, settings, SERVICES)
    await broker.declare(opened, settings, SERVICES)


async def test_declaring_with_another_queue_type_names_the_queue_and_the_remedy(
    opened: broker.Connection, settings: Settings
) -> None:
    await broker.declare(opened, settings, ["clip"])
    with pytest.raises(WindmillError) as caught:
        await broker.declare(opened, replace(settings, queue_type="classic"), ["clip"])
    assert caught.value.code == "CONFLICT"
    assert broker.work_queue(settings, "clip") in caught.value.message
    assert "QUEUE_TYPE" in caught.value.remedy


async def test_classic_queues_work_for_jobs_and_retries_too(settings: Settings, fleet: Fleet) -> None:
    delay = 0.301
    classic = replace(settings, queue_type="classic", retry_delays=(delay,))
    async with broker.connection(classic, "test") as opened:
        await broker.declare(opened, classic, ["clip"])
        async with broker.publisher(opened, classic) as publisher:
            await publisher.to_retry(delay, "clip", b"again", {})
        await until(lambda: fleet.depth("clip"), 10, "the job")
        await broker.delete_retry_tiers(opened, classic)


async def test_a_broker_that_is_away_is_told_at_once(settings: Settings) -> None:
    started = time.monotonic()
    with pytest.raises(WindmillError) as caught:
        async with broker.connection(replace(settings, queue_port=1), "test"):
            pass
    assert caught.value.code == "BROKER_UNAVAILABLE"
    assert "127.0.0.1:1" in caught.value.message
    assert time.monotonic() - started < 5


async def test_a_wrong_password_is_told_without_showing_it(settings: Settings) -> None:
    with pytest.raises(WindmillError) as caught:
        async with broker.connection(replace(settings, queue_password="wrong-and-secret"), "test"):
            pass
    assert caught.value.code == "CONFIG_INVALID"
    assert "wrong-and-secret" not in str(caught.value)


async def test_a_publish_that_the_broker_never_confirms_ends_after_publish_timeout(settings: Settings) -> None:
    async with Proxy(settings.queue_host, settings.queue_port) as proxy:
        slow = replace(settings, queue_port=proxy.port, publish_timeout=1.0)
        async with broker.connection(slow, "test") as opened:
            await broker.declare(opened, slow, ["clip"])
            async with broker.publisher(opened, slow) as publisher:
                proxy.freeze()
                with pytest.raises(WindmillError) as caught:
                    await asyncio.wait_for(publisher.to_services(b"job", ["clip"]), 5)
                proxy.thaw()
    assert caught.value.code == "BROKER_UNAVAILABLE"


async def test_leaving_a_connection_that_was_cut_raises_nothing_of_its_own(settings: Settings) -> None:
    async with Proxy(settings.queue_host, settings.queue_port) as proxy:
        through = replace(settings, queue_port=proxy.port)
        async with broker.connection(through, "test") as opened:
            await broker.declare(opened, through, ["clip"])
            async with (
                broker.publisher(opened, through) as publisher,
                broker.queue_consumer(opened, through, broker.work_queue(through, "clip")),
            ):
                await proxy.cut()
                with pytest.raises(WindmillError) as caught:
                    await publisher.to_services(b"job", ["clip"])
    assert caught.value.code == "BROKER_UNAVAILABLE"


async def test_the_depth_of_a_queue_that_does_not_exist_is_zero(
    publisher: broker.Publisher, opened: broker.Connection, settings: Settings
) -> None:
    await publisher.to_services(b"job", ["clip"])
    assert await broker.depths(opened, settings, ["clip", "extra"]) == {"clip": 1, "extra": 0}


async def test_a_walk_meets_every_message_once_whatever_priority_its_publisher_gave_it(
    opened: broker.Connection, publisher: broker.Publisher, settings: Settings, fleet: Fleet
) -> None:
    """RabbitMQ 4.3 delivers the highest priority first, and takes a message that names none for 4."""
    queue = broker.work_queue(settings, "clip")
    async with opened.channel() as channel:
        driver = await channel.get_underlay_channel()
        for number in range(8):
            properties = spec.Basic.Properties(priority=number if number > 4 else None)
            await driver.basic_publish(b"other %d" % number, routing_key=queue, properties=properties)
            await publisher.to_services(b"own %d" % number, ["clip"])
    met: list[bytes] = []

    async def decide(message: broker.HeldMessage) -> broker.WalkDecision:
        met.append(message.body)
        return broker.Move(queue, message.headers)

    await broker.walk(opened, settings, queue, decide, asyncio.Event(), lambda _: None, window=2)
    assert sorted(met) == sorted(b"%s %d" % (who, number) for who in (b"own", b"other") for number in range(8))
    assert [message.body for message in await fleet.take_all("clip")] == met
