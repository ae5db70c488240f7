"""The post-processors as processes: from a committed result to what is made of it."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Farm
from tests.e2e.postprocessor_scene import box, fresh, picture, says, started
from tests.e2e.test_metrics import HOST, becomes, free_port, number
from tests.integration.fleet import Fleet
from tests.integration.proxy import Proxy
from tests.waiting import until

pytestmark = [pytest.mark.database, pytest.mark.timeout(180)]
LOOKERS = ("face", "pose", "colors")
VOTE_ON_TWO_BOXES = "SELECT count(*) = 1 FROM consensus WHERE image_id = $1 AND cardinality(source_merged_ids) = 2"
VOTE_ON_A_BOX = "SELECT count(*) = 1 FROM consensus WHERE cardinality(source_merged_ids) = 1"
CREATED = """
SELECT extract(epoch FROM merges.created)::float8, extract(epoch FROM consensus.created)::float8
FROM merges JOIN consensus USING (image_id) WHERE image_id = $1
"""


def calls(farm: Farm) -> dict[str, int]:
    return {service: farm.calls(service) for service in LOOKERS}


class Looks(Proxy):
    """A way to PostgreSQL that notes when a stage looked for images: it begins a transaction for each look."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet.settings.db_host, fleet.settings.db_port)
        self._begun: list[float] = []

    def _passes(self, data: bytes) -> None:
        super()._passes(data)
        self._begun += [time.time()] * data.count(b"BEGIN ISOLATION")

    def between(self, first: float, last: float) -> int:
        return sum(first < moment < last for moment in self._begun)


async def test_a_result_is_merged_and_voted_on_by_the_first_looks_after_its_commit(fleet: Fleet) -> None:
    """An idle fleet, and images of which nothing more is expected: so without any wait for more. What a look takes is
    this machine's affair; how many there are is ours."""
    assert fleet.settings.poll_milliseconds <= 50
    merged, voted, taken = [], [], []
    merging, voting = Looks(fleet), Looks(fleet)
    async with merging, voting:
        await started(fleet, "bbox_merger", DB_PORT=str(merging.port))
        await started(fleet, "consensus", DB_PORT=str(voting.port))
        # What a stage asks for once, when it starts, has been asked for after a first image.
        await says(fleet, 41, "yolov8", [box(0), box(1)])
        await until(partial(fleet.rows.fetchval, VOTE_ON_TWO_BOXES, 41), 10, fleet.logs)
        for image_id in range(1, 41):
            await says(fleet, image_id, "yolov8", [box(0), box(1)])
            committed = time.time()
            await until(partial(fleet.rows.fetchval, VOTE_ON_TWO_BOXES, image_id), 10, fleet.logs)
            [(boxes, vote)] = await fleet.rows.fetch(CREATED, image_id)
            merged.append(merging.between(committed, boxes))
            voted.append(voting.between(boxes, vote))
            taken.append(vote - committed)
    _tell("consensus that rests on merged boxes", taken)
    assert statistics.median(merged) == statistics.median(voted) == 1
    assert max(merged + voted) <= 3, "now and then a stage looks for something else, too"


async def test_an_image_of_which_more_is_expected_waits_for_it_a_little(fleet: Fleet) -> None:
    """The debounce: shown by itself, and not longer than it should be."""
    await fleet.rows.execute(
        "INSERT INTO runs (services, selection, first_image_id, until_image_id, last_image_id)"
        " VALUES ('{yolov8,rtdetr}', 'new', 0, 100, 100)"
    )
    await started(fleet, "bbox_merger", DEBOUNCE_MILLISECONDS="400")
    taken = []
    for image_id in range(1, 6):
        await says(fleet, image_id, "yolov8", [box(0)])
        began = time.perf_counter()
        taken.append(
            await _seconds(fleet, began, "SELECT count(*) = 1 FROM merged_boxes WHERE image_id = $1", image_id)
        )
    _tell("merged boxes of an image that waits for rtdetr, with a debounce of 400 ms", taken)
    assert min(taken) >= 0.38
    assert statistics.median(taken) <= 0.9
    await says(fleet, 5, "rtdetr", [box(0)])
    began = time.perf_counter()
    both = "SELECT count(*) = 1 FROM merges WHERE image_id = $1 AND cardinality(services) = 2 AND awaiting = '{}'"
    assert await _seconds(fleet, began, both, 5) <= 0.38


async def _seconds(fleet: Fleet, began: float, question: str, image_id: int) -> float:
    await until(lambda: fleet.rows.fetchval(question, image_id), 10, fleet.logs)
    return time.perf_counter() - began


def _tell(what: str, taken: Sequence[float]) -> None:
    ordered = sorted(taken)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(f"{what}: p50 {statistics.median(taken) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms of {len(taken)}")  # noqa: T201


@pytest.mark.broker
async def test_a_merge_that_changes_one_of_ten_boxes_has_that_one_looked_at_and_no_other(
    fleet: Fleet, farm: Farm
) -> None:
    image_id = await picture(fleet)
    await started(fleet)
    people, dogs = [box(number, "person") for number in range(4)], [box(number) for number in range(4, 10)]
    await says(fleet, image_id, "yolov8", [*people, *dogs])
    await fresh(fleet)
    assert calls(farm) == {"face": 4, "pose": 4, "colors": 10}
    kept = await _enrichment(fleet)
    moved = people[0] | {"bbox": {"x": 10, "y": 90, "width": 50, "height": 100}}
    await says(fleet, image_id, "yolov8", [moved, *people[1:], *dogs])
    await fresh(fleet)
    print(f"calls after one of ten boxes moved: {calls(farm)}")  # noqa: T201 - the counts that matter
    assert calls(farm) == {"face": 5, "pose": 5, "colors": 11}
    now = await _enrichment(fleet)
    assert len(now) == len(kept) == 18
    assert len(kept & now) == 15
    # A second detector that agrees, but for a pixel, changes what is known of the boxes and not which they are.
    await says(fleet, image_id, "rtdetr", [_shifted(one) for one in [moved, *people[1:], *dogs]])
    await fresh(fleet)
    assert calls(farm) == {"face": 5, "pose": 5, "colors": 11}
    assert await _enrichment(fleet) == now
    # What is gone takes what was known of it along.
    await says(fleet, image_id, "yolov8", dogs)
    await says(fleet, image_id, "rtdetr", [_shifted(one) for one in dogs])
    await fresh(fleet)
    assert len(await _enrichment(fleet)) == 6
    assert calls(farm) == {"face": 5, "pose": 5, "colors": 11}


def _shifted(one: dict[str, Any]) -> dict[str, Any]:
    place = one["bbox"]
    return one | {"bbox": place | {"x": place["x"] + 1}}


async def _enrichment(fleet: Fleet) -> set[tuple[str, str, int]]:
    rows = await fleet.rows.fetch("SELECT box_key, service, post_id FROM postprocessing WHERE status = 'success'")
    return {(row["box_key"], row["service"], row["post_id"]) for row in rows}


@pytest.mark.broker
async def test_a_service_that_is_away_costs_no_box_and_others_are_asked_meanwhile(fleet: Fleet, farm: Farm) -> None:
    farm.misbehave("face", down=1)
    images = [await picture(fleet) for _ in range(3)]
    port = free_port()
    command = await started(fleet, METRICS_PORT=str(port), **HOST)
    for image_id in images:
        await says(fleet, image_id, "yolov8", [box(0, "person")])

    async def rows(status: str) -> set[str]:
        found = await fleet.rows.fetch(
            "SELECT service, count(*) FROM postprocessing WHERE status = $1 GROUP BY 1", status
        )
        return {row["service"] for row in found if row["count"] == len(images)}

    async def others_are_done() -> bool:
        return await rows("success") == {"pose", "colors"}

    await until(others_are_done, 30, fleet.logs)
    assert await rows("error") == set()
    await becomes(port, 'windmill_breaker_state{service="face"}', 2, command)
    assert await number(port, 'windmill_breaker_state{service="pose"}') == 0
    assert await number(port, 'windmill_stale_marks{stage="enrich"}') == len(images)
    farm.behave("face")
    await fresh(fleet, 60)
    assert await rows("success") == {"face", "pose", "colors"}
    attempts = await fleet.rows.fetch("SELECT DISTINCT attempt FROM postprocessing")
    assert [row["attempt"] for row in attempts] == [1]
    await becomes(port, 'windmill_breaker_state{service="face"}', 0, command)


async def test_an_image_that_is_gone_is_said_to_be_gone_for_each_of_its_boxes(fleet: Fleet) -> None:
    image_id = await picture(fleet)
    path = await fleet.rows.fetchval("SELECT image_path FROM images WHERE image_id = $1", image_id)
    await asyncio.to_thread(Path(path).unlink)
    await started(fleet)
    await says(fleet, image_id, "yolov8", [box(0), box(1, "person")])
    await says(fleet, 4711, "yolov8", [box(0)])
    await fresh(fleet)
    assert "a box failed" in fleet.logs()
    assert "recompute --stage enrich" in fleet.logs()
    rows = await fleet.rows.fetch("SELECT image_id, service, error_code, final FROM postprocessing ORDER BY 1, 2")
    assert [(row["service"], row["error_code"], row["final"]) for row in rows] == [
        (service, "IMAGE_NOT_FOUND", True) for service in ("colors", "colors", "face", "pose", "colors")
    ]


@pytest.mark.slow(reason="11 s: many processes are started and killed")
async def test_processes_that_are_killed_again_and_again_leave_nothing_stale(fleet: Fleet) -> None:
    """kill -9, eight times, in the middle of whatever they do."""
    running = [await started(fleet, module, POSTPROCESS_IMAGES="5") for module in ("bbox_merger", "consensus") * 2]
    killed = 0
    for image_id in range(1, 401):
        for service in ("yolov8", "rtdetr"):
            await says(fleet, image_id, service, [box(image_id % 5), box(5 + image_id % 4, "person")])
        if image_id % 50 == 0:
            victim = running.pop(0)
            await victim.kill()
            killed += 1
            module = "bbox_merger" if killed % 2 else "consensus"
            running.append(await started(fleet, module, POSTPROCESS_IMAGES="5"))
    await fresh(fleet, 60)
    left = await fleet.rows.fetchrow(
        "SELECT (SELECT count(*) FROM merges WHERE cardinality(services) = 2) AS merged,"
        " (SELECT count(*) FROM merged_boxes) AS boxes,"
        " (SELECT count(*) FROM consensus WHERE cardinality(source_merged_ids) = 2) AS voted"
    )
    assert left is not None
    print(f"{killed} processes killed: {dict(left)}")  # noqa: T201 - the counts that matter
    assert dict(left) == {"merged": 400, "boxes": 800, "voted": 400}
    repaired = await fleet.run("windmill", "repair", "--only-derived", "--json")
    assert repaired.json()["stale_images"] == {"merge": 0, "consensus": 0}


async def test_a_post_processor_outlives_the_database_and_stops_well(fleet: Fleet, database_proxy: Proxy) -> None:
    command = await started(fleet, "all", DB_PORT=str(database_proxy.port))
    await database_proxy.cut()
    await command.says("the database is unavailable")
    await says(fleet, 1, "yolov8", [box(0)])
    await database_proxy.mend()
    # Stages come back one by one, so a first vote may be without boxes.
    await until(partial(fleet.rows.fetchval, VOTE_ON_A_BOX), 30, fleet.logs)
    end = await command.stop()
    assert (end.code, "Traceback" in end.err) == (0, False), end.err
    assert "merge_looked_at=1" in end.err


async def test_images_that_were_there_before_the_first_post_processor_are_looked_at(fleet: Fleet) -> None:
    for image_id in range(1, 31):
        await says(fleet, image_id, "yolov8", [box(0)])
    await started(fleet, "bbox_merger")

    async def all_merged() -> bool:
        return bool(await fleet.rows.fetchval("SELECT count(*) FROM merges") == 30)

    await until(all_merged, 30, fleet.logs)
