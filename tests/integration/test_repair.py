"""python -m windmill repair: what was submitted and is nowhere is published again, and nothing else."""

import asyncio
import signal

import pytest

from tests.integration.fleet import Finished, Fleet
from tests.integration.parking import body, ids, messages, put_all, reasons
from tests.waiting import until
from windmill import broker
from windmill.core.messages import URGENT_HEADER
from windmill.core.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.database]

SERVICES = "clip,ocr"


async def lose_everything(fleet: Fleet, *services: str) -> None:
    async with broker.connection(fleet.settings, "test") as opened:
        await broker.delete_queues(opened, fleet.settings, services)


async def repair(fleet: Fleet, *arguments: str, **variables: str) -> Finished:
    return await fleet.run("windmill", "repair", "--services", SERVICES, "--json", *arguments, **variables)


async def test_after_the_broker_lost_everything_one_command_brings_back_every_unanswered_job(fleet: Fleet) -> None:
    images = await fleet.register(2500)
    await fleet.produce("--services", SERVICES)
    later = await fleet.register(3)
    await fleet.answer("clip", images[:1000])
    await fleet.answer("ocr", images[500:700], "SERVICE_ERROR")
    await lose_everything(fleet, "clip", "ocr")
    end = await repair(fleet)
    assert end.code == 0, end.err
    assert end.json()["jobs_by_service"] == {"clip": 1500, "ocr": 2300}
    assert "was not there, and is made" in end.err
    assert await fleet.image_ids("clip") == images[1000:]
    assert await fleet.image_ids("ocr") == images[:500] + images[700:]
    assert await fleet.depth("yolov8") == 0
    assert later[0] not in await ids(fleet, "clip")


async def test_what_an_urgent_run_submitted_is_urgent_again(fleet: Fleet) -> None:
    backlog = await fleet.register(3)
    await fleet.produce("--services", SERVICES)
    today = await fleet.register(2, "today")
    await fleet.produce("--services", "clip", "--group", "today", "--urgent")
    await fleet.produce("--services", SERVICES)
    await fleet.answer("clip", today[:1])
    await lose_everything(fleet, "clip", "ocr")
    end = await repair(fleet)
    assert end.json()["jobs_by_service"] == {"clip": 4, "ocr": 5}, end.err
    assert end.json()["images"] == 5, "one of them has an urgent job and an ordinary one"
    [urgent] = await fleet.take_all("clip", "_urgent")
    assert (urgent.image_id, urgent.headers) == (today[1], {URGENT_HEADER: True})
    assert await fleet.image_ids("clip") == backlog
    assert (await fleet.depth("ocr", "_urgent"), await fleet.image_ids("ocr")) == (0, backlog + today)


async def test_only_the_urgency_of_the_repaired_run_counts(fleet: Fleet) -> None:
    await fleet.register(2, "today")
    first = (await fleet.produce("--services", "clip", "--json")).json()["run_id"]
    again = ("--services", "clip", "--group", "today", "--missing", "--urgent", "--json")
    second = (await fleet.produce(*again)).json()["run_id"]
    for run, suffix in ((first, ""), (second, "_urgent")):
        await lose_everything(fleet, "clip")
        assert (await repair(fleet, "--run", str(run))).json()["jobs"] == 2
        assert await fleet.depth("clip", suffix) == 2


@pytest.mark.slow(reason="7 s: thousands of jobs are read twice")
async def test_a_second_repair_publishes_nothing_and_keeps_the_order(fleet: Fleet) -> None:
    images = await fleet.register(700)
    await fleet.produce("--services", SERVICES)
    await fleet.image_ids("clip")
    assert (await repair(fleet)).json()["jobs_by_service"] == {"clip": 700}
    second = await repair(fleet)
    assert (second.code, second.json()["jobs"]) == (0, 0)
    assert second.json()["waiting_by_service"] == {"clip": 700, "ocr": 700}
    assert await ids(fleet, "clip") == images
    assert await ids(fleet, "ocr") == images


@pytest.mark.slow(reason="13 s: every queue and tier holds jobs")
async def test_what_waits_in_queue_tier_or_failed_queue_is_not_published_again(fleet: Fleet) -> None:
    images = await fleet.register(40)
    fleet.environ["RETRY_DELAYS"] = "9.125"  # long enough to wait there, and tiers of this test alone
    settings = Settings.from_env(fleet.environ)
    await fleet.produce("--services", SERVICES)
    await fleet.image_ids("clip")
    await put_all(fleet, "clip", [(image_id, {"windmill-attempt": 2}) for image_id in images[:10]])
    await put_all(fleet, "clip.failed", [(image_id, reasons("WORKER_LOST")) for image_id in images[10:20]])
    async with broker.connection(settings, "test") as opened, broker.publisher(opened, settings) as publisher:
        for image_id in images[20:30]:
            await publisher.to_retry(9.125, "clip", body(image_id), {})
        end = await repair(fleet)
        assert end.code == 0, end.err
        assert end.json()["jobs_by_service"] == {"clip": 10}
        found = await messages(fleet, "clip")
        assert sorted(found) == images[:10] + images[30:]
        assert found[images[0]].headers["windmill-attempt"] == 2
        parked = await messages(fleet, "clip.failed")
        assert sorted(parked) == images[10:20]
        assert parked[images[10]].headers["windmill-code"] == "WORKER_LOST"

        async def back() -> bool:
            return await fleet.depth("clip") == 10

        await until(back, 30, "the jobs in the tiers came back")
        await broker.delete_retry_tiers(opened, settings)


async def test_a_dry_run_counts_and_publishes_nothing_and_makes_no_queue(fleet: Fleet) -> None:
    await fleet.register(20)
    await fleet.produce("--services", SERVICES)
    await lose_everything(fleet, "clip")
    end = await repair(fleet, "--dry-run")
    assert (end.code, end.json()["jobs_by_service"], end.json()["dry_run"]) == (0, {"clip": 20}, True)
    async with broker.connection(fleet.settings, "test") as opened:
        queue = broker.work_queue(fleet.settings, "clip")
        assert await broker.count_messages(opened, fleet.settings, [queue]) == {queue: None}


async def test_only_one_run_or_one_group_is_repaired_when_asked(fleet: Fleet) -> None:
    first = await fleet.register(5, group="a")
    run = (await fleet.produce("--services", SERVICES, "--json")).json()["run_id"]
    second = await fleet.register(5, group="b")
    await fleet.produce("--services", SERVICES)
    await lose_everything(fleet, "clip", "ocr")
    assert (await repair(fleet, "--run", str(run))).json()["jobs"] == 10
    assert await fleet.image_ids("clip") == first
    assert (await repair(fleet, "--group", "b")).json()["jobs"] == 10
    assert await fleet.image_ids("clip") == second
    for mistake, said in [(["--run", "4711"], "there is no run 4711"), (["--group", "c"], "no image has the group")]:
        end = await repair(fleet, *mistake)
        assert end.code == 2
        assert said in end.err


async def test_a_queue_too_long_to_read_is_refused_or_passed_by_with_force(fleet: Fleet) -> None:
    await fleet.register(30)
    await fleet.produce("--services", SERVICES)
    refused = await repair(fleet, "--scan", "20")
    assert refused.code == 75
    assert "clip holds 30 jobs" in refused.err
    assert "more than --scan 20" in refused.err
    assert "--force" in refused.err
    forced = await repair(fleet, "--scan", "20", "--force")
    assert forced.json()["jobs_by_service"] == {"clip": 30, "ocr": 30}


async def test_reading_a_queue_keeps_how_often_a_job_was_handed_out(fleet: Fleet) -> None:
    """Else a job that kills workers could be repaired into living for ever."""
    images = await fleet.register(1)
    await fleet.produce("--services", "clip")
    async with broker.connection(fleet.settings, "test") as opened:
        for _ in range(3):
            queue = broker.work_queue(fleet.settings, "clip")
            await broker.peek(opened, fleet.settings, queue, 1, lambda _: None, asyncio.Event())
    for _ in range(2):
        assert (await repair(fleet)).json()["jobs"] == 0
    [message] = await fleet.take_all("clip")
    assert message.image_id == images[0]
    assert message.headers["windmill-handed-out"] == 3


async def test_a_repair_beside_a_producer_is_refused(fleet: Fleet) -> None:
    await fleet.register(10)
    await fleet.rows.fetchval("SELECT pg_try_advisory_lock(hashtextextended('windmill producer', 0))")
    end = await repair(fleet)
    assert end.code == 75
    assert "a producer or another repair is at work" in end.err


@pytest.mark.slow(reason="19 s: a repair is stopped and run again over thousands of jobs")
async def test_a_repair_that_is_interrupted_is_finished_by_the_same_command(fleet: Fleet) -> None:
    images = await fleet.register(6000)
    await fleet.produce("--services", SERVICES)
    await lose_everything(fleet, "clip", "ocr")
    command = fleet.start("windmill", "repair", "--services", SERVICES, "--json", PUBLISH_WINDOW="4")

    async def begun() -> bool:
        return await fleet.depth("clip") >= 500

    await until(begun, 30, fleet.logs)
    end = await command.stop(signal.SIGINT)
    assert end.code == 130
    assert end.json()["interrupted"] is True
    assert 0 < end.json()["images"] < len(images), "the test was too slow"
    assert (await repair(fleet)).json()["images"] == len(images) - end.json()["images"]
    assert await fleet.image_ids("clip") == images
    assert await fleet.image_ids("ocr") == images
