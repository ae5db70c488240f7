"""A producer that is held up, killed or cut off: nothing is left out or done twice."""

import signal

import pytest

from tests.integration.fleet import Fleet
from tests.integration.proxy import Proxy
from tests.waiting import until
from windmill.submit.selection import PAGE_IMAGES

pytestmark = [pytest.mark.database, pytest.mark.broker]


async def test_max_queued_holds_the_producer_until_the_queue_drains(fleet: Fleet) -> None:
    images = await fleet.register(3 * PAGE_IMAGES)
    producer = fleet.start("producers.generic", "--services", "clip", "--max-queued", "500")
    await producer.says("waiting for the queues to drain")
    assert await fleet.depth("clip") == PAGE_IMAGES
    got: list[int] = []

    async def drained_to_the_end() -> bool:
        got.extend(await fleet.image_ids("clip"))
        return len(got) >= len(images)

    await until(drained_to_the_end, 60, fleet.logs)
    assert (await producer.finished()).code == 0
    assert sorted(got + await fleet.image_ids("clip")) == images


async def published(fleet: Fleet, service: str, at_least: int) -> None:
    async def enough() -> bool:
        return await fleet.depth(service) >= at_least

    await until(enough, 30, lambda: f"{at_least} jobs\n{fleet.logs()}")


@pytest.mark.slow(reason="17 s: the producer is killed again and again")
async def test_after_kill_9_the_same_command_leaves_no_pair_out_and_repeats_at_most_a_page(fleet: Fleet) -> None:
    images = await fleet.register(6 * PAGE_IMAGES)
    producer = fleet.start("producers.generic", "--services", "clip,ocr", PUBLISH_WINDOW="16")
    await published(fleet, "clip", PAGE_IMAGES)
    await producer.kill()
    assert await fleet.depth("clip") < len(images), "the test was too slow: all was published before the kill"
    end = await fleet.produce("--services", "clip,ocr", "--json")
    assert end.code == 0, end.err
    for service in ("clip", "ocr"):
        got = await fleet.image_ids(service)
        assert sorted(set(got)) == images
        assert len(got) - len(images) <= PAGE_IMAGES


REPROCESSED = pytest.param("--reprocess", marks=pytest.mark.slow(reason="11 s: the way is that of the other option"))


@pytest.mark.parametrize("option", ["", REPROCESSED])
async def test_after_sigint_the_same_command_publishes_the_rest_exactly_once(fleet: Fleet, option: str) -> None:
    images = await fleet.register(4 * PAGE_IMAGES)
    arguments = ["--services", "clip,ocr", *([option] if option else [])]
    producer = fleet.start("producers.generic", *arguments, "--json", PUBLISH_WINDOW="16")
    await published(fleet, "clip", PAGE_IMAGES // 2)
    first = await producer.stop(signal.SIGINT)
    assert first.code == 130
    assert first.json()["interrupted"] is True
    assert 0 < first.json()["images"] < len(images), "the test was too slow"
    second = await fleet.produce(*arguments, "--json")
    assert second.code == 0
    assert first.json()["images"] + second.json()["images"] == len(images)
    for service in ("clip", "ocr"):
        assert await fleet.image_ids(service) == images


async def test_a_second_producer_at_the_same_time_says_so_and_publishes_nothing(fleet: Fleet) -> None:
    images = await fleet.register(2 * PAGE_IMAGES)
    first = fleet.start("producers.generic", "--services", "clip", "--max-queued", "1")
    await first.says("waiting for the queues to drain")
    second = await fleet.produce("--services", "clip")
    assert second.code == 75
    assert "another producer is at work" in second.err
    first.process.send_signal(signal.SIGTERM)
    assert (await first.finished()).code == 130
    assert await fleet.image_ids("clip") == images[:PAGE_IMAGES]


@pytest.mark.slow(reason="12 s: the broker is away for a while")
async def test_a_broker_that_goes_away_in_the_middle_is_waited_for(fleet: Fleet, queue_proxy: Proxy) -> None:
    images = await fleet.register(4 * PAGE_IMAGES)
    window = 16
    producer = fleet.start(
        "producers.generic", "--services", "clip,ocr", QUEUE_PORT=str(queue_proxy.port), PUBLISH_WINDOW=str(window)
    )
    await published(fleet, "clip", PAGE_IMAGES // 2)
    await queue_proxy.cut()
    await producer.says("the broker is unavailable")
    assert producer.process.poll() is None
    await queue_proxy.mend()
    end = await producer.finished(60)
    assert end.code == 0, end.err
    assert "the broker is available again" in end.err
    for service in ("clip", "ocr"):
        got = await fleet.image_ids(service)
        assert sorted(set(got)) == images
        assert len(got) - len(images) <= window


async def test_a_broker_that_is_away_from_the_start_is_waited_for(fleet: Fleet, queue_proxy: Proxy) -> None:
    images = await fleet.register(3)
    await queue_proxy.cut()
    producer = fleet.start("producers.generic", "--services", "clip", QUEUE_PORT=str(queue_proxy.port))
    await producer.says("the broker is unavailable")
    await queue_proxy.mend()
    assert (await producer.finished()).code == 0
    assert await fleet.image_ids("clip") == images


async def test_a_database_that_goes_away_is_one_line_and_the_same_command_leaves_nothing_out(
    fleet: Fleet, database_proxy: Proxy
) -> None:
    images = await fleet.register(4 * PAGE_IMAGES)
    producer = fleet.start(
        "producers.generic", "--services", "clip", DB_PORT=str(database_proxy.port), PUBLISH_WINDOW="16"
    )
    await published(fleet, "clip", PAGE_IMAGES // 2)
    await database_proxy.cut()
    end = await producer.finished()
    assert end.code == 1
    assert "DATABASE_UNAVAILABLE: " in end.err
    assert "Traceback" not in end.err
    assert (await fleet.produce("--services", "clip")).code == 0
    got = await fleet.image_ids("clip")
    assert sorted(set(got)) == images
    assert len(got) - len(images) <= PAGE_IMAGES
