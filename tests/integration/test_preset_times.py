"""How long a preset takes is measured on jobs that were done lately, where there are enough of them."""

from datetime import timedelta

import pytest

from tests.integration.fleet import Fleet

pytestmark = pytest.mark.database

INSERT = """
INSERT INTO jobs (kind, preset, status, inputs, parameters, attempt, started_at, ended_at)
SELECT 'x', 'photoreal_portrait_v1', $1, '{}', jsonb_build_object('quality', $2::text), $3, now() - took, now()
FROM unnest($4::interval[]) AS took
"""


async def done(fleet: Fleet, quality: str, *seconds: float, status: str = "succeeded", attempt: int = 1) -> None:
    await fleet.rows.execute(INSERT, status, quality, attempt, [timedelta(seconds=one) for one in seconds])


async def test_the_median_of_what_was_done_in_one_go_takes_the_place_of_the_estimate(fleet: Fleet) -> None:
    await done(fleet, "low", 10, 20, 60)
    await done(fleet, "low", 500, attempt=2)
    await done(fleet, "standard", 1, 1, 1, status="failed")
    await done(fleet, "pro", 7, 7)
    shown = (await fleet.run("windmill", "presets", "show", "photoreal_portrait_v1", "--json")).json()
    assert shown["estimated_time_seconds"] == {"low": 20, "standard": 120, "pro": 180}
    assert shown["measured_jobs"] == {"low": 3}
    text = (await fleet.run("windmill", "presets", "show", "photoreal_portrait_v1")).out
    assert "20 s, measured on 3 jobs" in text
    assert "about 180 s" in text
    listed = (await fleet.run("windmill", "presets", "list", "--json")).json()["presets"]
    (one,) = [preset for preset in listed if preset["id"] == "photoreal_portrait_v1"]
    assert one["estimated_time_seconds"]["low"] == 20


async def test_without_a_database_the_estimate_of_the_preset_is_shown(fleet: Fleet) -> None:
    ended = await fleet.run(
        "windmill", "presets", "show", "photoreal_portrait_v1", "--json", DB_HOST="127.0.0.1", DB_PORT="1"
    )
    assert ended.json()["estimated_time_seconds"] == {"low": 60, "standard": 120, "pro": 180}
