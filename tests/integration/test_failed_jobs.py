"""python -m windmill failed: looking changes nothing, and a wrong use is told."""

from datetime import timedelta

import pytest

from tests.integration.fleet import Fleet
from tests.integration.parking import body, holds, parked_jobs, put_all, reasons
from windmill import broker
from windmill.broker.management import limit_deliveries

pytestmark = [pytest.mark.broker, pytest.mark.database]


async def test_list_shows_what_is_parked_changes_nothing_and_keeps_the_order(fleet: Fleet) -> None:
    await parked_jobs(fleet, "clip", "SERVICE_ERROR", range(1, 1501))
    for _ in range(3):
        end = await fleet.run("windmill", "failed", "list", "--limit", "5000", "--json")
        assert end.code == 0, end.err
        assert [job["image_id"] for job in end.json()["jobs"]] == list(range(1, 1501))
        assert end.json()["summary"] == [{"service": "clip", "code": "SERVICE_ERROR", "jobs": 1500}]
    await holds(fleet, "clip.failed", 1500)
    found = await fleet.take_all("clip.failed")
    assert [message.body for message in found] == [body(image_id) for image_id in range(1, 1501)]
    assert found[0].headers["windmill-code"] == "SERVICE_ERROR"
    assert "windmill-walk" not in found[0].headers


async def test_list_as_a_table_says_code_reason_and_sums(fleet: Fleet) -> None:
    await parked_jobs(fleet, "clip", "IMAGE_NOT_FOUND", [7])
    end = await fleet.run("windmill", "failed", "list")
    assert end.code == 0, end.err
    assert "IMAGE_NOT_FOUND" in end.out
    assert "because of IMAGE_NOT_FOUND" in end.out
    assert "1 jobs" in end.out
    by_image = await fleet.run("windmill", "failed", "list", "--by-image")
    assert by_image.out.splitlines()[1].split()[0] == "7", by_image.out + by_image.err


async def test_more_than_scan_is_told(fleet: Fleet) -> None:
    await parked_jobs(fleet, "clip", "SERVICE_ERROR", range(1, 31))
    end = await fleet.run("windmill", "failed", "list", "--scan", "10", "--json")
    assert "holds 30; looked at the first 10 (--scan)" in end.err
    assert len(end.json()["jobs"]) == 10


async def test_filters_choose_by_code_age_and_image(fleet: Fleet) -> None:
    await fleet.declare("clip")
    old = reasons("SERVICE_ERROR", timedelta(days=8))
    await put_all(fleet, "clip.failed", [(1, reasons()), (2, old), (3, reasons("BAD_RESPONSE")), (4, old)])

    async def chosen(*arguments: str) -> list[int]:
        end = await fleet.run("windmill", "failed", "list", "--json", *arguments)
        return [job["image_id"] for job in end.json()["jobs"]]

    assert await chosen("--code", "service_error") == [1, 2, 4]
    assert await chosen("--older-than", "7d") == [2, 4]
    assert await chosen("--newer-than", "2h", "--code", "SERVICE_ERROR") == [1]
    assert await chosen("--image-ids", "3,4") == [3, 4]


async def test_a_job_that_the_broker_parked_is_shown_as_lost_workers_and_can_be_redriven(fleet: Fleet) -> None:
    await fleet.declare("clip")
    limit_deliveries(fleet.settings, ["clip"], limit=1)
    await fleet.put("clip", body(5), {"mine": "kept"})
    async with (
        broker.connection(fleet.settings, "test") as opened,
        broker.queue_consumer(opened, fleet.settings, broker.work_queue(fleet.settings, "clip")) as consumption,
    ):

        async def die(delivery: broker.Delivery) -> None:
            await delivery.requeue()

        await consumption.start(die, 1)
        await holds(fleet, "clip.failed", 1)
    # Another code is wanted: the message is moved behind the others, and what x-death told must not be lost.
    await fleet.run("windmill", "failed", "redrive", "--code", "BAD_RESPONSE")
    end = await fleet.run("windmill", "failed", "list", "--json")
    [job] = end.json()["jobs"]
    assert job["code"] == "WORKER_LOST"
    assert "delivery_limit" in job["reason"]
    assert job["failed_at"]
    end = await fleet.run("windmill", "failed", "redrive", "--code", "WORKER_LOST", "--json")
    assert end.json()["jobs"] == 1
    [message] = await fleet.take_all("clip")
    assert message.headers == {"mine": "kept", "windmill-redriven": 1}


async def test_show_tells_everything_of_an_image(fleet: Fleet) -> None:
    await parked_jobs(fleet, "clip", "SERVICE_ERROR", [6, 7, 8])
    await fleet.rows.execute(
        "INSERT INTO results (image_id, service, status, error_code) VALUES (7, 'clip', 'error', 'SERVICE_ERROR')"
    )
    end = await fleet.run("windmill", "failed", "show", "7", "--json")
    [entry] = end.json()
    assert entry["headers"]["windmill-worker"] == "worker-1"
    assert entry["body"]["image_path"] == "/pictures/7.jpg"
    assert entry["result"]["error_code"] == "SERVICE_ERROR"
    assert "send the failed jobs again" in entry["remedy"]
    text = await fleet.run("windmill", "failed", "show", "7")
    assert "windmill-worker: worker-1" in text.out
    absent = await fleet.run("windmill", "failed", "show", "99")
    assert (absent.code, absent.out) == (1, "")
    assert "no job of image 99 is parked" in absent.err


async def test_a_wrong_use_is_told_and_ends_with_2(fleet: Fleet) -> None:
    for arguments, said in [
        (["list", "--code", "SERVICE_ERR"], "did you mean 'SERVICE_ERROR'"),
        (["list", "--older-than", "yesterday"], "not a span of time such as 30m"),
        (["list", "--services", "clipp"], "did you mean 'clip'"),
        (["redrive", "--rate", "0"], "not a whole number"),
        (["list", "--image-ids", "no-such-file"], "neither image ids nor a readable file"),
    ]:
        end = await fleet.run("windmill", "failed", *arguments)
        assert end.code == 2, end.err
        assert said in end.err
        assert "Traceback" not in end.err


async def test_queues_that_do_not_exist_hold_nothing(fleet: Fleet) -> None:
    for action in (["list"], ["redrive"], ["purge", "--yes"]):
        end = await fleet.run("windmill", "failed", *action, "--json")
        assert (end.code, end.json()["summary"]) == (0, []), end.err
