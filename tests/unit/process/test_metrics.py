"""Metrics and their rendering."""

import asyncio
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.process.metrics_scene import HEALTH, OFF, Numbers, numbers
from tests.unit.world import JOB, World, take
from tests.waiting import at_work, settled, turns
from windmill import VERSION
from windmill.calling.service_state import ServiceState
from windmill.core.errors import DataRefused, WindmillError
from windmill.core.messages import ATTEMPT_HEADER, encode
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT
from windmill.core.timings import Histogram, RecordedCommitTimings
from windmill.process.metrics import (
    METRICS,
    backlog_samples,
    commit_samples,
    process_samples,
    publishing_samples,
    reconnect_samples,
    service_samples,
    stage_samples,
)
from windmill.process.prometheus_exposition import render_metrics
from windmill.storage.result_writer import ResultRow, ResultWriter

CLIP = replace(load_fleet(ROOT / "service_config.json").services["clip"], concurrency=2)
ON = replace(OFF, metrics_port=9400)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def state(world: World) -> ServiceState:
    return world.state(CLIP, ON)


def jobs(state: ServiceState) -> Numbers:
    return {
        key[1:3]: value for key, value in numbers(service_samples([state])).items() if key[0] == "windmill_jobs_total"
    }


async def test_jobs_are_counted_by_outcome_and_code(world: World, state: ServiceState) -> None:
    assert jobs(state) == {("", "stored"): 0}
    processor = world.processor(state, ON)
    await take(processor, world.delivery())
    await take(processor, world.delivery(b"no job"))
    world.write_errors = [DataRefused("a NUL")]
    await take(processor, world.delivery())
    world.call_error = WindmillError("SERVICE_ERROR", "because")
    await take(processor, world.delivery())
    await take(processor, world.delivery(**{ATTEMPT_HEADER: 2}))
    world.call_error = WindmillError("SERVICE_UNREACHABLE", "gone", reached=False)
    await take(processor, world.delivery())
    assert jobs(state) == {
        ("", "stored"): 1,
        ("BAD_MESSAGE", "unreadable"): 1,
        ("BAD_RESPONSE", "failed"): 1,
        ("SERVICE_ERROR", "retry_later"): 1,
        ("SERVICE_ERROR", "failed"): 1,
        ("SERVICE_UNREACHABLE", "unavailable"): 1,
    }


async def test_a_job_that_is_redelivered_after_a_failed_write_is_counted_once(
    world: World, state: ServiceState
) -> None:
    processor = world.processor(state, ON)
    world.write_errors = [WindmillError("DATABASE_UNAVAILABLE", "stops")]
    await take(processor, world.delivery())
    await take(processor, world.delivery())
    assert jobs(state) == {("", "stored"): 1}


async def test_a_service_shows_its_jobs_its_calls_its_limit_and_its_breaker(world: World, state: ServiceState) -> None:
    processor = world.processor(state, ON)
    processor.has_suspects = False
    world.gate.clear()
    taken = [asyncio.create_task(take(processor, world.delivery())) for _ in range(3)]
    await settled()
    shown = ("jobs_in_progress", "calls_in_flight", "concurrency", "breaker_state")

    def seen() -> list[float]:
        found = numbers(service_samples([state]))
        return [found[f"windmill_{name}", "clip"] for name in shown]

    assert seen() == [3, 2, 2, 0]
    world.gate.set()
    await asyncio.gather(*taken)
    state.breaker.trip(WindmillError("SERVICE_UNREACHABLE", "gone"))
    assert seen() == [0, 0, 2, 2]
    state.breaker.half_open()
    assert seen() == [0, 0, 2, 1]


async def test_defects_are_counted_from_zero_in_every_place(world: World, state: ServiceState) -> None:
    processor = world.processor(state, ON)

    def defects() -> float:
        return numbers(service_samples([state]))["windmill_defects_total", "clip"]

    assert defects() == 0
    world.call_error = ZeroDivisionError("at the call")
    await take(processor, world.delivery())
    assert defects() == 1
    world.call_error, world.write_errors = None, [TypeError("at the commit")]
    await take(processor, world.delivery())
    assert defects() == 2
    assert state.codes["RetryLater", "DEFECT"] == 2


def histogram(found: Numbers, name: str, *labels: str) -> list[float]:
    """How many values, and their sum."""
    return [found[f"windmill_{name}_{part}", *labels] for part in ("count", "sum")]


async def test_each_step_of_a_job_is_measured_once(world: World, state: ServiceState) -> None:
    processor = world.processor(state, ON)
    processor.has_suspects = False

    async def read(seconds: float) -> None:
        await turns(1)
        world.clock.now += seconds

    hour_ago = replace(JOB, submitted_at=datetime.now(UTC) - timedelta(hours=1))
    world.gate.clear()
    taken = asyncio.create_task(take(processor, world.delivery(encode(hour_ago))))
    await read(0.3)
    world.gate.set()
    await taken
    found = numbers(service_samples([state]))
    assert histogram(found, "service_call_seconds", "clip") == [1, pytest.approx(0.3)]
    assert histogram(found, "image_read_seconds", "clip") == [1, 0]
    assert histogram(found, "queue_wait_seconds", "clip") == [1, pytest.approx(3600, abs=10)]
    assert histogram(found, "job_seconds", "clip") == [1, pytest.approx(3600, abs=10)]
    assert found["windmill_service_call_seconds_bucket", "0.25", "clip"] == 0
    assert found["windmill_service_call_seconds_bucket", "0.5", "clip"] == 1


async def test_queue_wait_counts_the_first_try_only_and_failed_calls_are_measured(
    world: World, state: ServiceState
) -> None:
    world.call_error = WindmillError("SERVICE_ERROR", "because")
    await take(world.processor(state, ON), world.delivery(**{ATTEMPT_HEADER: 2}))
    found = numbers(service_samples([state]))
    assert histogram(found, "queue_wait_seconds", "clip") == [0, 0]
    assert histogram(found, "service_call_seconds", "clip") == [1, 0]
    assert histogram(found, "job_seconds", "clip") == [0, 0], "a job that failed has no answer that could be late"


async def test_a_clock_that_is_ahead_makes_no_time_negative(world: World, state: ServiceState) -> None:
    ahead = replace(JOB, submitted_at=datetime.now(UTC) + timedelta(hours=1))
    await take(world.processor(state, ON), world.delivery(encode(ahead)))
    found = numbers(service_samples([state]))
    assert histogram(found, "queue_wait_seconds", "clip") == [1, 0]
    assert histogram(found, "job_seconds", "clip") == [1, 0]


async def test_without_a_port_no_step_is_measured(world: World) -> None:
    state = world.state(CLIP, OFF)
    await take(world.processor(state, OFF), world.delivery())
    shown = {key[0] for key in numbers(service_samples([state]))}
    assert "windmill_jobs_total" in shown
    assert not any("seconds" in name for name in shown)


async def test_commits_show_their_rows_and_how_long_they_took() -> None:
    async def save(rows: Sequence[ResultRow]) -> None:
        await at_work(0.02)  # how long it takes is what is measured

    commits = RecordedCommitTimings()
    writer = ResultWriter(save, batch_rows=3, batch_seconds=0.01, in_progress=lambda: 99, commits=commits)
    running = asyncio.create_task(writer.run())
    row = ResultRow(1, "clip", "{}", None, None, 0.1, "me", 1, None, JOB.submitted_at)
    await asyncio.gather(*(writer.write(row) for _ in range(4)))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    found = numbers(commit_samples(commits))
    assert histogram(found, "commit_rows") == [2, 4]
    assert found["windmill_commit_rows_bucket", "1.0"] == 1
    count, seconds = histogram(found, "commit_seconds")
    assert count == 2
    assert 0.04 <= seconds < 5


@given(st.lists(st.floats(0, 100)))
def test_every_value_is_in_the_buckets_of_all_bounds_that_it_does_not_exceed(values: list[float]) -> None:
    made = Histogram((1.0, 2.0, 50.0))
    for value in values:
        made.note(value)
    below = [sum(value <= bound for value in values) for bound in made.bounds]
    assert [sum(made.counts[: place + 1]) for place in range(3)] == below
    assert sum(made.counts) == len(values)
    assert made.total == pytest.approx(sum(values))


def test_reconnects_are_counted_for_each_server() -> None:
    found = numbers(reconnect_samples({"broker": 2, "database": 0}))
    assert found == {("windmill_reconnects_total", "broker"): 2, ("windmill_reconnects_total", "database"): 0}


def test_a_stage_counts_changed_unchanged_and_failed_images() -> None:
    found = numbers(stage_samples("merge", {"looked_at": 10, "changed": 4, "failed": 1}))
    assert found == {
        ("windmill_recomputes_total", "changed", "merge"): 4,
        ("windmill_recomputes_total", "unchanged", "merge"): 6,
        ("windmill_recomputes_total", "failed", "merge"): 1,
    }
    assert numbers(stage_samples("enrich", {"calls": 7}))["windmill_box_calls_total", "enrich"] == 7


def test_a_stage_without_open_work_is_not_overdue() -> None:
    found = numbers([*backlog_samples("merge", 0, None), *backlog_samples("enrich", 3, 1.5)])
    assert found["windmill_stale_overdue_seconds", "merge"] == 0
    assert (found["windmill_stale_marks", "enrich"], found["windmill_stale_overdue_seconds", "enrich"]) == (3, 1.5)


def test_a_producer_shows_images_and_the_jobs_of_each_service() -> None:
    assert numbers(publishing_samples(2, {"clip": 2, "ocr": 1})) == {
        ("windmill_published_images_total",): 2,
        ("windmill_published_jobs_total", "clip"): 2,
        ("windmill_published_jobs_total", "ocr"): 1,
    }


def test_every_process_exports_its_build_and_its_readiness() -> None:
    found = numbers(process_samples("workers.generic", HEALTH))
    python = ".".join(map(str, sys.version_info[:3]))
    assert found["windmill_build_info", "workers.generic", python, VERSION] == 1
    assert (found["windmill_ready", "main loop"], found["windmill_ready", "broker"]) == (1, 0)


def test_the_version_is_that_of_the_project() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()


def test_the_metrics_include_memory_and_cpu_of_the_process() -> None:
    names = {family.name for family in text_string_to_metric_families(render_metrics([]).decode())}
    assert {"process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds"} <= names


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_keeps_the_conventions(metric: object) -> None:
    kind, name = getattr(metric, "kind", ""), getattr(metric, "name", "")
    assert re.fullmatch("windmill(_[a-z]+)+", name)
    assert name.endswith("_total") == (kind == "counter")
    assert not re.search("_(milliseconds|ms|minutes|kilobytes|mb|percent)(_|$)", name)


def test_the_documentation_lists_each_metric_with_its_labels_as_exported() -> None:
    rows = re.findall(
        r"^\| `(windmill_\w+)` \| ([^|]*) \| ([^|]*) \| (.*) \|$", (ROOT / "docs/metrics.md").read_text(), re.M
    )
    exported = [(one.name, one.kind, ", ".join(one.labels) or "-", one.help) for one in METRICS]
    assert rows == exported
