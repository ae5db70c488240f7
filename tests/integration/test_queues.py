"""python -m windmill queues: what waits in each queue."""

import pytest

from tests.integration.fleet import Fleet
from tests.integration.parking import parked_jobs, put_all
from windmill import broker

pytestmark = [pytest.mark.broker, pytest.mark.database]


async def test_every_queue_is_shown_and_what_is_not_declared_is_said_so(fleet: Fleet) -> None:
    await fleet.declare("clip")
    await put_all(fleet, "clip", [(1, {}), (2, {})])
    await parked_jobs(fleet, "clip", "SERVICE_ERROR", [3])
    end = await fleet.run("windmill", "queues", "--services", "clip,ocr", "--json")
    clip, ocr = end.json()["services"]
    # Whether there are rates depends on the broker, the numbers of messages do not.
    assert ("without rates" in end.err) == (clip["publish_rate"] is None)
    assert (end.code, clip["unacknowledged"]) == (0, 0)
    assert (clip["ready"], clip["consumers"], clip["parked"], clip["oldest_seconds"]) == (2, 0, 1, None)
    assert ocr["declared"] is False
    tier_names = [tier["name"] for tier in end.json()["tiers"]]
    assert tier_names == [broker.retry_exchange(fleet.settings, delay) for delay in broker.retry_tiers(fleet.settings)]
    text = await fleet.run("windmill", "queues", "--services", "clip,ocr")
    assert "not declared: ocr" in text.out


async def test_without_the_management_api_the_rest_is_shown_with_a_word_about_it(fleet: Fleet) -> None:
    await fleet.declare("clip")
    await put_all(fleet, "clip", [(1, {})])
    end = await fleet.run("windmill", "queues", "--services", "clip", "--json", QUEUE_MANAGEMENT_PORT="1")
    assert end.code == 0
    assert "without unacked and rates" in end.err
    [clip] = end.json()["services"]
    assert (clip["ready"], clip["unacknowledged"], clip["publish_rate"]) == (1, None, None)


async def test_the_oldest_job_is_told_when_asked_for_and_stays_the_first(fleet: Fleet) -> None:
    images = await fleet.register(3)
    await fleet.produce("--services", "clip")
    end = await fleet.run("windmill", "queues", "--services", "clip", "--oldest", "--json")
    assert 0 <= end.json()["services"][0]["oldest_seconds"] < 60
    assert [message.image_id for message in await fleet.take_all("clip")] == images
