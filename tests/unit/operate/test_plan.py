"""The plan for so many images, from what is known of the fleet."""

from datetime import timedelta
from typing import Any

import pytest

from windmill.cli.plan import Figures, as_text, plan
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.kernels.flow.capacity import MeasuredTable

SETTINGS = Settings.from_env({})
FLEET = load_fleet(SETTINGS.service_config)


def planned(figures: Figures, services: str = "all", deadline: timedelta | None = None) -> dict[str, Any]:
    return plan(SETTINGS, FLEET.select(services), figures, 10_000_000, deadline, 1_000_000)


def service(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in document["services"] if one["service"] == name)


def test_a_fleet_that_never_ran_is_planned_by_what_is_assumed_and_says_so() -> None:
    document = planned(Figures())
    assert len(document["services"]) == len(FLEET.services)
    assert {one["from"] for one in document["services"] + document["disk"]} == {"assumed"}


def test_workers_that_are_there_share_the_images() -> None:
    figures = Figures(busy_rates={"yolov8": [50.0, 150.0]}, workers={"yolov8": 2})
    one = service(planned(figures), "yolov8")
    assert (one["rate_per_worker"], one["from"], one["workers_now"]) == (100.0, "workers", 2)
    assert one["hours"] == pytest.approx(10_000_000 / 200 / 3600, abs=0.01)


def test_answers_tell_the_pace_of_a_worker_that_asks_several_at_a_time() -> None:
    calls = FLEET.services["metadata"].concurrency
    one = service(planned(Figures(seconds={"metadata": 0.5})), "metadata")
    assert (one["rate_per_worker"], one["from"]) == (calls / 0.5 if isinstance(calls, int) else 0, "answers")


def test_a_deadline_tells_how_many_workers_it_needs() -> None:
    figures = Figures(busy_rates={"ollama": [0.5]})
    assert service(planned(figures), "ollama")["workers_needed"] is None
    assert service(planned(figures, deadline=timedelta(days=30)), "ollama")["workers_needed"] == 8


def test_disk_is_the_sum_of_the_tables() -> None:
    figures = Figures(tables={"results": MeasuredTable(rows=50_000, size=50_000 * 800)})
    document = planned(figures, "yolov8,clip")
    results = next(one for one in document["disk"] if one["table"] == "results")
    assert (results["bytes"], results["from"]) == (2 * 800 * 10_000_000, "measured")
    assert document["disk_bytes"] == sum(one["bytes"] for one in document["disk"])


def test_people_read_all_of_it() -> None:
    text = as_text(planned(Figures(), deadline=timedelta(days=30)))
    for word in (*FLEET.services, "merged_boxes", "GiB in all", "RabbitMQ: up to 13,000,000 jobs wait", "assumed"):
        assert word in text
