"""python -m producers.generic: what is published, and to whom."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet
from windmill.core.messages import decode
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT

pytestmark = [pytest.mark.database, pytest.mark.broker]
ALL = list(load_fleet(ROOT / "service_config.json").services)
DETECTORS = ["detectron2", "rtdetr", "yolov8"]


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
    await fleet.answer("clip", images[:20])
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
    await fleet.answer("clip", images[:2])
    await fleet.answer("clip", images[2:4], "IMAGE_NOT_FOUND")
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
    await fleet.answer("clip", images[:3])
    end = await fleet.produce("--services", "clip", "--missing", "--json")
    assert end.json()["jobs"] == 2
    assert await fleet.image_ids("clip") == images[3:]


async def test_retry_failed_publishes_only_what_has_an_error(fleet: Fleet) -> None:
    images = await fleet.register(6)
    await fleet.answer("clip", images[:2])
    await fleet.answer("clip", images[2:4], "SERVICE_ERROR")
    end = await fleet.produce("--services", "clip", "--retry-failed", "--json")
    assert end.json()["jobs"] == 2
    assert await fleet.image_ids("clip") == images[2:4]


@pytest.mark.parametrize("option", ["--retry-failed", "--missing", "--reprocess"])
async def test_whatever_was_asked_for_before_no_image_is_ever_left_out(fleet: Fleet, option: str) -> None:
    """A walk over all images that publishes some of them must not count the others as submitted."""
    images = await fleet.register(6)
    await fleet.answer("clip", images[:2], "SERVICE_ERROR")
    await fleet.produce("--services", "clip", option)
    await fleet.produce("--services", "clip")
    assert set(await fleet.image_ids("clip")) >= set(images[2:])


async def test_reprocess_publishes_everything_again(fleet: Fleet) -> None:
    images = await fleet.register(4)
    await fleet.answer("clip", images)
    for _ in range(2):
        await fleet.produce("--services", "clip", "--reprocess")
        assert await fleet.image_ids("clip") == images


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
