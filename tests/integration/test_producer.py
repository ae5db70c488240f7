"""python -m producers.generic: what is published, to whom, and that nothing is left out or done twice."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet
from tests.integration.proxy import Proxy
from tests.waiting import until
from windmill.core.messages import decode
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT
from windmill.submit.selection import PAGE_IMAGES

pytestmark = [pytest.mark.database, pytest.mark.broker]

ALL = list(load_fleet(ROOT / "service_config.json").services)
DETECTORS = ["detectron2", "rtdetr", "yolov8"]


async def answered(fleet: Fleet, image_ids: list[int], service: str, code: str | None = None) -> None:
    await fleet.rows.execute(
        "INSERT INTO results (image_id, service, status, error_code)"
        " SELECT i, $2, CASE WHEN $3::text IS NULL THEN 'success' ELSE 'error' END, $3 FROM unnest($1::bigint[]) i",
        image_ids,
        service,
        code,
    )


async def test_all_means_every_service_once_for_every_image(fleet: Fleet) -> None:
    images = await fleet.register(30)
    end = await fleet.produce("--services", "all", "--json")
    assert end.code == 0, end.err
    assert end.json()["jobs_by_service"] == dict.fromkeys(ALL, 30)
    assert (end.json()["images"], end.json()["jobs"]) == (30, 30 * len(ALL))
    for service in ALL:
        assert await fleet.image_ids(service) == images


async def test_sets_and_names_mix_and_reach_nobody_else(fleet: Fleet) -> None:
    images = await fleet.register(3)
    assert (await fleet.produce("--services", "detectors,ocr,yolov8")).code == 0
    for service in ALL:
        assert await fleet.image_ids(service) == (images if service in [*DETECTORS, "ocr"] else [])


async def test_an_unknown_service_is_a_mistake_told_with_the_nearest_name(fleet: Fleet) -> None:
    end = await fleet.produce("--services", "yolo8")
    assert end.code == 2
    assert "did you mean 'yolov8'" in end.err
    assert "Traceback" not in end.err


async def test_the_second_call_publishes_nothing_while_all_jobs_still_wait(fleet: Fleet) -> None:
    await fleet.register(20)
    await fleet.produce("--services", "detectors")
    end = await fleet.produce("--services", "detectors", "--json")
    assert (end.code, end.json()["jobs"]) == (0, 0)
    assert await fleet.depth("yolov8") == 20


async def test_with_a_limit_each_call_goes_on_where_the_last_one_stopped(fleet: Fleet) -> None:
    images = await fleet.register(25)
    sizes = [(await fleet.produce("--services", "clip", "--limit", "10", "--json")).json()["images"] for _ in range(4)]
    assert sizes == [10, 10, 5, 0]
    assert await fleet.image_ids("clip") == images


async def test_a_limit_counts_only_images_that_have_something_to_publish(fleet: Fleet) -> None:
    images = await fleet.register(25)
    await answered(fleet, images[:20], "clip")
    await fleet.produce("--services", "clip", "--limit", "3")
    assert await fleet.image_ids("clip") == images[20:23]


async def test_a_group_is_published_alone_and_the_rest_later_without_it(fleet: Fleet) -> None:
    others = await fleet.register(5)
    group = await fleet.register(5, group="holidays")
    more = await fleet.register(5)
    await fleet.produce("--services", "clip", "--group", "holidays")
    assert await fleet.image_ids("clip") == group
    await fleet.produce("--services", "clip")
    assert await fleet.image_ids("clip") == others + more


@pytest.mark.parametrize("way", ["file", "stdin"])
async def test_named_images_are_published_and_unknown_ids_are_counted(fleet: Fleet, tmp_path: Path, way: str) -> None:
    images = await fleet.register(10)
    lines = f"{images[7]}\n\n{images[2]}\n999999\n"
    listing = tmp_path / "ids.txt"
    listing.write_text(lines)
    name = str(listing) if way == "file" else "-"
    end = await fleet.run("producers.generic", "--services", "clip", "--image-ids", name, "--json", stdin=lines)
    assert (end.code, end.json()["unknown_images"]) == (0, 1)
    assert await fleet.image_ids("clip") == [images[2], images[7]]


@pytest.mark.parametrize("line", ["yolov8", "-1", "1.5", "99999999999999999999"])
async def test_a_line_that_is_no_image_id_is_a_mistake_told_with_its_number(fleet: Fleet, line: str) -> None:
    end = await fleet.run("producers.generic", "--services", "clip", "--image-ids", "-", stdin=f"1\n{line}\n")
    assert end.code == 2, end.err
    assert "line 2" in end.err
    assert "Traceback" not in end.err


async def test_a_dry_run_counts_and_publishes_and_records_nothing(fleet: Fleet) -> None:
    images = await fleet.register(10)
    end = await fleet.produce("--services", "clip,ocr", "--dry-run", "--json")
    assert (end.code, end.json()["jobs"], end.json()["dry_run"]) == (0, 20, True)
    assert await fleet.rows.fetchval("SELECT count(*) FROM runs") == 0
    assert await fleet.depth("clip") == 0
    await fleet.produce("--services", "clip,ocr")
    assert await fleet.image_ids("clip") == images


async def test_pairs_that_have_a_result_are_not_published(fleet: Fleet) -> None:
    images = await fleet.register(6)
    await answered(fleet, images[:2], "clip")
    await answered(fleet, images[2:4], "clip", "IMAGE_NOT_FOUND")
    await fleet.produce("--services", "clip,ocr")
    assert await fleet.image_ids("clip") == images[4:]
    assert await fleet.image_ids("ocr") == images


async def test_images_registered_later_are_taken_by_the_next_call(fleet: Fleet) -> None:
    first = await fleet.register(5)
    await fleet.produce("--services", "clip")
    later = await fleet.register(5)
    end = await fleet.produce("--services", "clip", "--json")
    assert end.json()["images"] == 5
    assert await fleet.image_ids("clip") == first + later


async def test_another_set_of_services_later_gets_only_what_is_missing(fleet: Fleet) -> None:
    images = await fleet.register(5)
    await fleet.produce("--services", "clip,ocr")
    more = await fleet.register(2)
    end = await fleet.produce("--services", "clip,yolov8", "--json")
    assert end.json()["jobs_by_service"] == {"clip": 2, "yolov8": 7}
    assert await fleet.image_ids("clip") == images + more
    assert await fleet.image_ids("ocr") == images
    end = await fleet.produce("--services", "all", "--limit", "100", "--json")
    others = [name for name in ALL if name not in ("clip", "yolov8")]
    assert end.json()["jobs_by_service"] == dict.fromkeys(others, 7) | {"ocr": 2}


async def test_missing_publishes_again_what_was_submitted_and_never_answered(fleet: Fleet) -> None:
    images = await fleet.register(5)
    await fleet.produce("--services", "clip")
    await fleet.image_ids("clip")
    await answered(fleet, images[:3], "clip")
    end = await fleet.produce("--services", "clip", "--missing", "--json")
    assert end.json()["jobs"] == 2
    assert await fleet.image_ids("clip") == images[3:]


async def test_retry_failed_publishes_only_what_has_an_error(fleet: Fleet) -> None:
    images = await fleet.register(6)
    await answered(fleet, images[:2], "clip")
    await answered(fleet, images[2:4], "clip", "SERVICE_ERROR")
    end = await fleet.produce("--services", "clip", "--retry-failed", "--json")
    assert end.json()["jobs"] == 2
    assert await fleet.image_ids("clip") == images[2:4]


@pytest.mark.parametrize("option", ["--retry-failed", "--missing", "--reprocess"])
async def test_whatever_was_asked_for_before_no_image_is_ever_left_out(fleet: Fleet, option: str) -> None:
    """A walk over all images that publishes some of them must not count the others as submitted."""
    images = await fleet.register(6)
    await answered(fleet, images[:2], "clip", "SERVICE_ERROR")
    await fleet.produce("--services", "clip", option)
    await fleet.produce("--services", "clip")
    assert set(await fleet.image_ids("clip")) >= set(images[2:])


async def test_reprocess_publishes_everything_again(fleet: Fleet) -> None:
    images = await fleet.register(4)
    await answered(fleet, images, "clip")
    for _ in range(2):
        await fleet.produce("--services", "clip", "--reprocess")
        assert await fleet.image_ids("clip") == images


async def test_max_queued_holds_the_producer_until_the_queue_drains(fleet: Fleet) -> None:
    images = await fleet.register(3 * PAGE_IMAGES)
    producer = fleet.start("producers.generic", "--services", "clip", "--max-queued", "500")
    await producer.says("waiting for the queues to drain")
    assert await fleet.depth("clip") == PAGE_IMAGES
    got: list[int] = []

    async def drained_to_the_end() -> bool:
        got.extend(await fleet.image_ids("clip"))
        return producer.process.poll() is not None

    await until(drained_to_the_end, 60, fleet.logs)
    got += await fleet.image_ids("clip")
    assert (await producer.finished()).code == 0
    assert sorted(got) == images


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


async def test_json_is_the_only_thing_on_standard_output(fleet: Fleet) -> None:
    await fleet.register(2)
    end = await fleet.produce("--services", "clip", "--json")
    assert set(end.json()) >= {"run_id", "images", "jobs", "jobs_by_service", "dry_run", "interrupted"}
    listed = await fleet.produce("--list-services", "--json")
    assert [service["name"] for service in listed.json()["services"]] == ALL
    assert listed.json()["sets"]["detectors"] == DETECTORS


async def test_when_a_job_was_submitted_is_told_by_the_clock_of_the_database(fleet: Fleet) -> None:
    """However wrong that of the producer's machine: here the other one is a year ahead."""
    await fleet.register(1)
    await fleet.rows.execute(
        "CREATE SCHEMA clock; CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql AS"
        " $$SELECT pg_catalog.now() + interval '1 year'$$"
    )
    name = fleet.settings.db_name
    await fleet.rows.execute(f'ALTER DATABASE "{name}" SET search_path = clock, pg_catalog, public')
    assert (await fleet.produce("--services", "clip")).code == 0
    [message] = await fleet.take_all("clip")
    submitted = decode(message.body, datetime.now(UTC)).submitted_at
    assert submitted > datetime.now(UTC) + timedelta(days=360)
