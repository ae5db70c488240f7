"""python -m windmill failed: redriving and purging lose nothing, whatever interrupts them."""

import signal
import time
from functools import partial

import pytest

from tests.integration.fleet import Command, Fleet
from tests.integration.parking import body, holds, ids, messages, parked_jobs, put_all, reasons
from tests.integration.proxy import Proxy
from tests.waiting import until
from windmill import broker
from windmill.core.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.database]


async def test_redrive_moves_exactly_the_matching_jobs_and_counts_it(fleet: Fleet) -> None:
    await fleet.declare("clip", "ocr")
    wanted = reasons("SERVICE_ERROR", windmill_outages=2, windmill_handed_out=4, mine="kept")
    other = reasons("IMAGE_NOT_FOUND")
    jobs = [(image_id, wanted if image_id % 3 else other) for image_id in range(1, 1001)]
    await put_all(fleet, "clip.failed", jobs)
    await put_all(fleet, "ocr.failed", [(1, wanted)])
    end = await fleet.run("windmill", "failed", "redrive", "--services", "clip", "--code", "SERVICE_ERROR", "--json")
    assert end.code == 0, end.err
    assert (end.json()["jobs"], end.json()["kept"]) == (667, 333)
    moved = await fleet.take_all("clip")
    assert [message.body for message in moved] == [body(image_id) for image_id in range(1, 1001) if image_id % 3]
    assert moved[0].headers == {"mine": "kept", "windmill-redriven": 1}
    stayed = await fleet.take_all("clip.failed")
    assert [message.image_id for message in stayed] == [image_id for image_id in range(1, 1001) if image_id % 3 == 0]
    assert {name: stayed[0].headers[name] for name in other} == other
    assert await ids(fleet, "ocr.failed") == [1]


async def test_a_job_that_is_redriven_again_and_again_says_how_often(fleet: Fleet) -> None:
    await fleet.declare("clip")
    await put_all(fleet, "clip.failed", [(1, reasons(windmill_redriven=2))])
    listed = await fleet.run("windmill", "failed", "list", "--json")
    assert listed.json()["jobs"][0]["redriven"] == 2
    await fleet.run("windmill", "failed", "redrive")
    [message] = await fleet.take_all("clip")
    assert message.headers["windmill-redriven"] == 3


async def test_a_body_that_is_no_job_keeps_its_bytes(fleet: Fleet) -> None:
    await fleet.declare("clip")
    await fleet.put("clip.failed", b"\xff\x00 no job", reasons("BAD_MESSAGE"))
    await fleet.run("windmill", "failed", "redrive", "--code", "SERVICE_ERROR")
    end = await fleet.run("windmill", "failed", "list", "--json")
    assert end.json()["jobs"][0]["image_id"] is None
    await fleet.run("windmill", "failed", "redrive")
    [message] = await fleet.take_all("clip")
    assert message.body == b"\xff\x00 no job"


async def test_a_limit_takes_the_first_ones_and_a_dry_run_none(fleet: Fleet) -> None:
    await parked_jobs(fleet, "clip", "SERVICE_ERROR", range(1, 21))
    dry = await fleet.run("windmill", "failed", "redrive", "--limit", "5", "--dry-run", "--json")
    assert (dry.json()["jobs"], dry.json()["dry_run"]) == (5, True)
    end = await fleet.run("windmill", "failed", "redrive", "--limit", "5", "--json")
    assert end.json()["jobs"] == 5
    assert await ids(fleet, "clip") == [1, 2, 3, 4, 5]
    await holds(fleet, "clip.failed", 15)
    assert await ids(fleet, "clip.failed") == list(range(6, 21))


async def test_purge_wants_yes_and_then_removes_only_what_matches(fleet: Fleet) -> None:
    await parked_jobs(fleet, "clip", "IMAGE_NOT_FOUND", range(1, 301))
    await parked_jobs(fleet, "clip", "SERVICE_ERROR", range(301, 401))
    refused = await fleet.run("windmill", "failed", "purge", "--code", "IMAGE_NOT_FOUND")
    assert refused.code == 2
    assert "add --yes" in refused.err
    dry = await fleet.run("windmill", "failed", "purge", "--code", "IMAGE_NOT_FOUND", "--dry-run", "--json")
    assert dry.json()["jobs"] == 300
    await holds(fleet, "clip.failed", 400)
    end = await fleet.run("windmill", "failed", "purge", "--code", "IMAGE_NOT_FOUND", "--yes")
    assert end.code == 0, end.err
    assert "purged 300 jobs" in end.out
    assert "their rows in results stay" in end.out
    assert await ids(fleet, "clip.failed") == list(range(301, 401))


@pytest.mark.slow(reason="10 s: a rate shows only over time")
async def test_a_rate_limit_holds(fleet: Fleet) -> None:
    await parked_jobs(fleet, "clip", "SERVICE_ERROR", range(1, 1001))
    redrive = fleet.start("windmill", "failed", "redrive", "--rate", "100")
    await until(lambda: fleet.depth("clip"), 30)
    begun, before = time.monotonic(), await fleet.depth("clip")
    after = before

    async def many_more() -> bool:
        nonlocal after
        after = await fleet.depth("clip")
        return after >= before + 150

    await until(many_more, 30)
    took = time.monotonic() - begun
    assert after - before <= 100 * took * 1.1 + 2
    end = await redrive.stop(signal.SIGINT)
    assert end.code == 130
    assert "interrupted" in end.out
    moved = await ids(fleet, "clip")
    assert moved == list(range(1, len(moved) + 1))
    await holds(fleet, "clip.failed", 1000 - len(moved))
    assert sorted(await ids(fleet, "clip.failed")) == list(range(len(moved) + 1, 1001))


async def begun(fleet: Fleet, arguments: list[str], at_least: int, queue: str = "clip", **variables: str) -> Command:
    command = fleet.start("windmill", "failed", *arguments, **variables)

    async def enough() -> bool:
        return await fleet.depth(queue) >= at_least

    await until(enough, 30, lambda: f"{at_least} in {queue}\n{fleet.logs()}")
    return command


async def test_redrive_killed_in_the_middle_loses_nothing_and_the_same_command_does_the_rest(fleet: Fleet) -> None:
    every = set(range(1, 2001))
    await parked_jobs(fleet, "clip", "SERVICE_ERROR", sorted(every))
    command = await begun(fleet, ["redrive", "--rate", "1000"], 300, PUBLISH_WINDOW="32")
    await command.kill()
    moved = await fleet.depth("clip")
    assert moved < 2000, "the test was too slow: all was redriven before the kill"

    async def back() -> bool:
        return await fleet.depth("clip.failed") >= 2000 - moved

    await until(back, 15)
    end = await fleet.run("windmill", "failed", "redrive")
    assert end.code == 0, end.err
    got = await ids(fleet, "clip")
    assert set(got) == every
    assert len(got) - len(every) <= 64
    assert await fleet.depth("clip.failed") == 0


@pytest.mark.slow(reason="13 s: a long queue is walked, so that there is time to kill it")
async def test_a_walk_killed_while_it_moves_what_stays_loses_nothing(fleet: Fleet, queue_proxy: Proxy) -> None:
    every = set(range(1, 2001))
    await parked_jobs(fleet, "clip", "IMAGE_NOT_FOUND", sorted(every - {1}))
    await parked_jobs(fleet, "clip", "SERVICE_ERROR", [1])
    variables = {"PUBLISH_WINDOW": "8", "QUEUE_PORT": str(queue_proxy.port)}
    for kilobytes in (20, 60, 150, 300):
        command = fleet.start("windmill", "failed", "purge", "--yes", "--image-ids", "77777", **variables)
        await until(partial(_has_moved, command, queue_proxy, queue_proxy.passed + 1000 * kilobytes))
        await command.kill()

    async def back() -> bool:
        return await fleet.depth("clip.failed") >= 2000

    await until(back, 15)
    got = await messages(fleet, "clip.failed")
    assert set(got) == every
    assert got[1].headers["windmill-code"] == "SERVICE_ERROR"


def _has_moved(command: Command, proxy: Proxy, most_passed: int) -> bool:
    assert command.process.poll() is None, "the walk was over before the kill"
    return proxy.passed > most_passed


@pytest.mark.slow(reason="14 s: two commands redrive thousands of jobs")
async def test_two_redrives_at_once_end_and_lose_nothing(fleet: Fleet) -> None:
    await parked_jobs(fleet, "clip", "SERVICE_ERROR", range(1, 1501))
    commands = [fleet.start("windmill", "failed", "redrive", "--json", PUBLISH_WINDOW="16") for _ in range(2)]
    ends = [await command.finished() for command in commands]
    assert [end.code for end in ends] == [0, 0], ends
    assert sum(end.json()["jobs"] for end in ends) == 1500
    assert sorted(await ids(fleet, "clip")) == list(range(1, 1501))


async def test_what_fails_again_meanwhile_does_not_make_a_redrive_endless(fleet: Fleet) -> None:
    """A worker that parks each job again at once, while the redrive is at it."""
    await parked_jobs(fleet, "clip", "SERVICE_ERROR", range(1, 501))
    async with (
        broker.connection(fleet.settings, "test") as opened,
        broker.publisher(opened, fleet.settings) as publisher,
        broker.queue_consumer(opened, fleet.settings, broker.work_queue(fleet.settings, "clip")) as consumption,
    ):

        async def fail(delivery: broker.Delivery) -> None:
            await publisher.to_failed("clip", delivery.body, reasons())
            delivery.acknowledge()

        await consumption.start(fail, 50)
        end = await fleet.run("windmill", "failed", "redrive", "--json", PUBLISH_WINDOW="16")
        assert (end.code, end.json()["jobs"]) == (0, 500)
        await holds(fleet, "clip.failed", 500)


async def test_classic_queues_can_be_listed_redriven_and_repaired_too(fleet: Fleet) -> None:
    fleet.environ |= {"QUEUE_TYPE": "classic", "RETRY_DELAYS": "7.0625"}  # tiers of this test alone
    classic = Settings.from_env(fleet.environ)
    images = await fleet.register(200)
    assert (await fleet.produce("--services", "clip")).code == 0
    await fleet.take_all("clip")
    await put_all(fleet, "clip.failed", [(image_id, reasons()) for image_id in images[:100]])
    for _ in range(2):
        listed = await fleet.run("windmill", "failed", "list", "--json")
        assert [job["image_id"] for job in listed.json()["jobs"]] == images[:100]
    repaired = await fleet.run("windmill", "repair", "--services", "clip", "--json")
    assert repaired.json()["jobs"] == 100, repaired.err
    end = await fleet.run("windmill", "failed", "redrive", "--json")
    assert end.json()["jobs"] == 100, end.err
    assert await ids(fleet, "clip") == images[100:] + images[:100]
    async with broker.connection(classic, "test") as opened:
        await broker.delete_retry_tiers(opened, classic)
