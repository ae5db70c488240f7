"""Reckoning: paces, workers, disk and queues from numbers alone."""

import pytest

from windmill.kernels.flow.capacity import (
    ASSUMED_FOOTPRINTS,
    MIN_MEASURED_ROWS,
    MeasuredTable,
    TableFootprint,
    Throughput,
    assumed_seconds,
    duration_seconds,
    queue_load,
    table_footprints,
    throughput,
    workers_needed,
)

DAY = 86_400.0


@pytest.mark.parametrize(
    ("busy", "seconds", "found"),
    [
        ([4.0, 6.0], 9.0, Throughput(5.0, "workers")),
        ([0.0, 6.0], 9.0, Throughput(6.0, "workers")),
        ([0.0], 0.5, Throughput(8.0, "answers")),
        ([], 0.5, Throughput(8.0, "answers")),
        ([], 0.0, Throughput(2.0, "assumed")),
        ([], None, Throughput(2.0, "assumed")),
    ],
)
def test_a_busy_worker_tells_more_than_answers_and_these_more_than_nothing(
    busy: list[float], seconds: float | None, found: Throughput
) -> None:
    assert throughput(busy, seconds, concurrency=4, assumed_seconds=2.0) == found


@pytest.mark.parametrize(
    ("sets", "seconds"), [([], 0.25), (["detectors"], 0.25), (["captioners"], 2.0), (["people", "light"], 0.1)]
)
def test_what_is_assumed_depends_on_what_a_service_is(sets: list[str], seconds: float) -> None:
    assert assumed_seconds(sets) == seconds


@pytest.mark.parametrize(
    ("images", "per_worker", "seconds", "workers"),
    [
        (0, 5.0, DAY, 0),
        (1, 5.0, DAY, 1),
        (864_000, 10.0, DAY, 1),
        (864_001, 10.0, DAY, 2),
        (1_728_000, 10.0, DAY, 2),
        (10, 0.1, 50.0, 2),
    ],
)
def test_so_many_workers_are_done_in_time_and_one_less_is_not(
    images: int, per_worker: float, seconds: float, workers: int
) -> None:
    assert workers_needed(images, per_worker, seconds) == workers
    if workers > 1:
        assert duration_seconds(images, per_worker, workers - 1) > seconds
    if workers:
        assert duration_seconds(images, per_worker, workers) <= seconds * 1.000001


def test_without_tables_all_weights_are_assumed_and_results_has_a_row_for_each_service() -> None:
    found = table_footprints({}, services=13)
    assert {one.source for one in found.values()} == {"assumed"}
    assert found["results"].bytes_per_image == 13 * ASSUMED_FOOTPRINTS["results"].bytes_per_row
    assert found["votes"] == ASSUMED_FOOTPRINTS["votes"]


def test_a_table_is_measured_once_there_is_enough_in_it() -> None:
    table = MeasuredTable(rows=MIN_MEASURED_ROWS, size=700.0 * MIN_MEASURED_ROWS)
    assert table_footprints({"results": table}, 13)["results"] == TableFootprint(13, 700, "measured")
    few = MeasuredTable(rows=MIN_MEASURED_ROWS - 1, size=700.0 * MIN_MEASURED_ROWS)
    assert table_footprints({"results": few}, 13)["results"].source == "assumed"


def test_derived_rows_are_counted_against_merged_images() -> None:
    answers = MeasuredTable(rows=8_000, size=8_000 * 400)
    assert table_footprints({"enrichments": answers, "merges": MeasuredTable(10_000, 1e6)}, 13)[
        "enrichments"
    ] == TableFootprint(0.8, 400, "measured")
    assert table_footprints({"enrichments": answers}, 13)["enrichments"].source == "assumed", "of how many images?"


def test_queues_hold_no_more_than_the_producer_lets_wait() -> None:
    assert queue_load(500, 13, 1_000).jobs == 500 * 13
    full = queue_load(10_000_000, 13, 1_000)
    assert full == queue_load(1_000, 13, 1_000)
    assert queue_load(0, 13, 1_000).memory_bytes > 0, "the broker itself"
    assert full.memory_bytes > queue_load(0, 13, 1_000).memory_bytes
    assert queue_load(2_000, 13, 2_000).disk_bytes == 2 * full.disk_bytes
