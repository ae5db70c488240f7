"""python -m windmill plan, asked of a real database."""

import pytest

from tests.integration.fleet import Fleet

pytestmark = pytest.mark.database

ROWS = 2_000


async def test_what_is_in_the_tables_is_measured_and_the_rest_assumed(fleet: Fleet) -> None:
    await fleet.rows.execute(
        "INSERT INTO results (image_id, service, status, processing_time, data)"
        " SELECT n, 'clip', 'success', 0.2, to_json(repeat('x', 900)) FROM generate_series(1, $1::int) n",
        ROWS,
    )
    await fleet.rows.execute("ANALYZE results")
    end = await fleet.run("windmill", "plan", "--images", "1000", "--services", "clip,ocr", "--json")
    assert end.code == 0, end.err
    found = end.json()
    assert [(one["service"], one["from"]) for one in found["services"]] == [("clip", "answers"), ("ocr", "assumed")]
    results = next(one for one in found["disk"] if one["table"] == "results")
    size = await fleet.rows.fetchval("SELECT pg_total_relation_size('results')")
    assert (results["rows_per_image"], results["bytes_per_row"]) == (2, round(size / ROWS))
    assert {one["from"] for one in found["disk"] if one["table"] != "results"} == {"assumed"}


async def test_partitions_are_measured_together(fleet: Fleet) -> None:
    await fleet.run("windmill", "partitions", "--convert", "--size", "1000", "--ahead", "2")
    await fleet.rows.execute(
        "INSERT INTO results (image_id, service, status)"
        " SELECT n, 'clip', 'success' FROM generate_series(1, $1::int) n",
        ROWS,
    )
    await fleet.rows.execute("ANALYZE results_first; ANALYZE results_from_1000; ANALYZE results_from_2000")
    end = await fleet.run("windmill", "plan", "--images", "1000", "--json")
    assert next(one for one in end.json()["disk"] if one["table"] == "results")["from"] == "measured"


async def test_without_a_database_a_plan_is_made_all_the_same(fleet: Fleet) -> None:
    end = await fleet.run("windmill", "plan", "--images", "1000", "--deadline", "1d", DB_HOST="127.0.0.1:1")
    assert end.code == 0
    assert end.err.startswith("all of it is assumed, because of DATABASE_UNAVAILABLE")
    assert "1,000 images" in end.out
