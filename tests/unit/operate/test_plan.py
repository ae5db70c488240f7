"""The plan for so many images, from what is known of the fleet."""

from datetime import timedelta

import pytest

from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.kernels.flow.capacity import MeasuredTable
from windmill.operate.plan import (
    CapacityPlan,
    FleetMeasurements,
    PlanRequest,
    ServicePlan,
    plan,
    render_plan_json,
    render_plan_text,
)

SETTINGS = Settings.from_env({})
FLEET = load_fleet(SETTINGS.service_config)


def planned(measured: FleetMeasurements, services: str = "all", deadline: timedelta | None = None) -> CapacityPlan:
    return plan(SETTINGS, FLEET.select(services), measured, PlanRequest(10_000_000, deadline))


def service(planned: CapacityPlan, name: str) -> ServicePlan:
    return next(one for one in planned.services if one.service == name)


def test_a_fleet_that_never_ran_is_planned_by_what_is_assumed_and_says_so() -> None:
    document = render_plan_json(planned(FleetMeasurements()))
    assert len(document["services"]) == len(FLEET.services)
    assert {one["from"] for one in document["services"] + document["disk"]} == {"assumed"}


def test_workers_that_are_there_share_the_images() -> None:
    measured = FleetMeasurements(busy_rates={"yolov8": [50.0, 150.0]}, workers={"yolov8": 2})
    one = service(planned(measured), "yolov8")
    assert (one.rate_per_worker, one.source, one.workers_now) == (100.0, "workers", 2)
    assert one.hours == pytest.approx(10_000_000 / 200 / 3600, abs=0.01)


def test_answers_tell_the_pace_of_a_worker_that_asks_several_at_a_time() -> None:
    calls = FLEET.services["metadata"].concurrency
    one = service(planned(FleetMeasurements(seconds={"metadata": 0.5})), "metadata")
    assert (one.rate_per_worker, one.source) == (calls / 0.5 if isinstance(calls, int) else 0, "answers")


def test_a_deadline_tells_how_many_workers_it_needs() -> None:
    measured = FleetMeasurements(busy_rates={"ollama": [0.5]})
    assert service(planned(measured), "ollama").workers_needed is None
    assert service(planned(measured, deadline=timedelta(days=30)), "ollama").workers_needed == 8


def test_disk_is_the_sum_of_the_tables() -> None:
    measured = FleetMeasurements(tables={"results": MeasuredTable(rows=50_000, size=50_000 * 800)})
    found = planned(measured, "yolov8,clip")
    results = next(one for one in found.disk if one.table == "results")
    assert (results.bytes, results.source) == (2 * 800 * 10_000_000, "measured")
    assert found.disk_bytes == sum(one.bytes for one in found.disk)


def test_people_read_all_of_it() -> None:
    text = render_plan_text(planned(FleetMeasurements(), deadline=timedelta(days=30)))
    waiting = f"RabbitMQ: up to {len(FLEET.services)},000,000 jobs wait"
    for word in (*FLEET.services, "enrichments", "GiB in all", waiting, "assumed"):
        assert word in text
