"""The status of the fleet: what follows from the numbers, and how it is shown."""

import argparse
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from windmill.cli import status as command
from windmill.operate.render import render_span
from windmill.operate.status.figures import (
    FRESH_SECONDS,
    MOST_MARKS,
    MOST_TASKS,
    MOST_UNSUBMITTED,
    Backlog,
    FleetStatus,
    ServiceStatus,
    StepStatus,
    Worker,
    add_etas,
    add_workers,
    eta,
    share_retries,
)
from windmill.operate.status.render import (
    FEW_WORKERS,
    render_status_json,
    render_status_table,
    render_status_text,
    render_steps,
    render_unavailable,
    render_workers,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WORKER = Worker(
    process="one", worker_id="pi", host="pi3", pid=17, service="clip", lost=False, started_at=NOON, heartbeat_at=NOON,
    last_job_at=None, up_seconds=4000, silent_seconds=3, job_seconds=None, done=5, failed=1, retried=2, unavailable=0,
    rate=2.0, retry_rate=0.5, in_progress=3, concurrency=4, concurrency_auto=False, breaker="closed",
    breaker_reason=None,
)  # fmt: skip
AWAY = replace(WORKER, process="two", breaker="open", breaker_reason="SERVICE_UNREACHABLE: refused")
LOST = replace(WORKER, process="three", lost=True, silent_seconds=61)


def of(*workers: Worker) -> ServiceStatus:
    status = ServiceStatus("clip")
    add_workers([status], workers)
    return status


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (-0.4, "0s"), (59.4, "59s"), (59.5, "1m0s"), (3599, "59m59s"), (3600, "1h0m"), (11_520, "3h12m"),
     (86_399, "23h59m"), (86_400, "1d0h"), (190_000, "2d4h")],
)  # fmt: skip
def test_a_span_is_shown_in_its_two_greatest_units(seconds: float, shown: str) -> None:
    assert render_span(seconds) == shown


@pytest.mark.parametrize(
    ("queued", "in_flight", "retrying", "rate", "seconds"),
    [
        (100, 10, 10, 2.0, 60.0),
        (100, 10, None, 2.0, 55.0),
        (0, 0, 0, 0.0, 0.0),
        (1, 0, 0, 0.0, None),
        (0, 0, 1, 0.0, None),
        (None, 1, 1, 1.0, None),
        (1, None, 1, 1.0, None),
        (1, 1, 1, None, None),
    ],
)
def test_the_eta_is_what_is_left_at_the_rate_of_now(
    queued: int | None, in_flight: int | None, retrying: int | None, rate: float | None, seconds: float | None
) -> None:
    assert eta(queued, in_flight, retrying, rate) == seconds


def test_workers_add_up_and_the_lost_do_not_count() -> None:
    status = of(WORKER, replace(WORKER, rate=0.5), LOST)
    assert (status.workers, status.lost, status.rate, status.in_flight) == (2, 1, 2.5, 6)


def test_a_worker_that_missed_two_heartbeats_lives_but_its_speed_is_not_counted_on() -> None:
    killed = replace(WORKER, silent_seconds=FRESH_SECONDS)
    status = of(killed)
    assert (status.workers, status.lost, status.rate, status.in_flight) == (1, 0, 0, 0)
    assert of(replace(killed, silent_seconds=FRESH_SECONDS - 0.1)).rate == 2.0


@pytest.mark.parametrize(
    ("workers", "state", "opened", "reason"),
    [
        ((), None, 0, None),
        ((WORKER,), "closed", 0, None),
        ((WORKER, AWAY, AWAY), "open", 2, "SERVICE_UNREACHABLE: refused"),
        ((WORKER, replace(AWAY, breaker="half-open")), "half-open", 0, "SERVICE_UNREACHABLE: refused"),
        ((replace(AWAY, lost=True), WORKER), "closed", 0, None),
    ],
)
def test_the_breaker_is_the_worst_of_the_live_workers(
    workers: tuple[Worker, ...], state: str | None, opened: int, reason: str | None
) -> None:
    status = of(*workers)
    assert (status.breaker, status.breaker_open, status.breaker_reason) == (state, opened, reason)


def test_jobs_in_the_retry_tiers_belong_to_services_as_fast_as_they_are_sent_there() -> None:
    workers = [WORKER, replace(WORKER, service="ocr", retry_rate=1.5), replace(WORKER, service="face", retry_rate=0)]
    assert share_retries(100, workers) == {"clip": 25, "ocr": 75, "face": 0}
    assert share_retries(100, [replace(WORKER, retry_rate=0)]) == {}
    assert share_retries(100, []) == {}


def fleet(*services: ServiceStatus, retrying: int | None = 0, workers: tuple[Worker, ...] = ()) -> FleetStatus:
    status = FleetStatus(1300, list(services), retrying=retrying, workers=list(workers))
    add_etas(status)
    return status


def working(name: str, queued: int, rate: float = 1.0) -> ServiceStatus:
    return ServiceStatus(name, queued=queued, in_flight=0, rate=rate)


def test_the_fleet_is_done_when_the_slowest_service_is() -> None:
    assert fleet(working("clip", 60), working("ocr", 90)).eta_seconds == 90


def test_nobody_knows_when_the_fleet_is_done_while_a_service_stands_still() -> None:
    assert fleet(working("clip", 60), working("ocr", 90, rate=0)).eta_seconds is None


@pytest.mark.parametrize(("breaker", "eta"), [("open", None), ("half-open", None), ("closed", 20.0)])
def test_nobody_knows_when_a_service_that_is_away_is_done(breaker: str, eta: float | None) -> None:
    service = ServiceStatus("clip", queued=100, in_flight=0, rate=5.0, breaker=breaker)
    add_etas(FleetStatus(100, [service]))
    assert service.eta_seconds == eta


def test_images_that_were_never_submitted_and_an_unfitted_calibration_are_told() -> None:
    text = render_status_text(FleetStatus(9, [ServiceStatus("clip", done=1)], unsubmitted=7, uncalibrated=True))
    assert "7 images were never submitted: python -m producers.generic" in text
    assert "votes are uncalibrated" in text
    text = render_status_text(FleetStatus(9, [ServiceStatus("clip", done=1)], unsubmitted=MOST_UNSUBMITTED))
    assert "10,000+ images were never submitted" in text
    assert "uncalibrated" not in text


def test_a_conversion_of_derived_rows_is_told_while_it_lasts() -> None:
    said = "post-processors convert derived rows of an older form, 12 % done"
    assert said in render_status_text(FleetStatus(9, [], converted=0.123))
    assert "older form" not in render_status_text(FleetStatus(9, []))


def test_its_share_of_the_retries_delays_a_service() -> None:
    status = fleet(working("clip", 60), working("ocr", 60), retrying=30, workers=(WORKER,))
    assert [(one.retrying, one.eta_seconds) for one in status.services] == [(30, 90), (0, 60)]


CLIP = ServiceStatus(
    "clip", 1200, 3, 40, 4, 6, 5, 2, 12.5, 11_520, "open", 2, "SERVICE_UNREACHABLE: refused", 3, 1, 0.25,
    {"SERVICE_ERROR": 2, "BAD_RESPONSE": 1},
)  # fmt: skip
POSE = ServiceStatus("pose", queued=2, urgent=0, in_flight=0, retrying=0, parked=0, rate=0.0, workers=0, lost=0)
STATUS = FleetStatus(
    1300, [CLIP, POSE], NOON, 5, None, [WORKER, AWAY, LOST], [Backlog("merge", 1200, 61), Backlog("enrich", 0, None)]
)


def cells(line: str) -> list[str]:
    return [cell for cell in line.split("  ") if cell.strip()]


def test_the_table_shows_each_service_then_all_together() -> None:
    shown = [[cell.strip() for cell in cells(line)] for line in render_status_table(STATUS).splitlines()]
    assert shown[1:] == [
        ["clip", "1,200", "3", "40", "4", "6", "5", "2", "12", "3h12m", "open 2/3", "3, 1 lost", "0.250",
         "SERVICE_ERROR:2 BAD_RESPONSE:1"],
        ["pose", "0", "0", "2", "0", "0", "0", "0", "0.000", "-", "-", "0", "-"],
        ["all", "1,200", "3", "42", "4", "6", "5", "2", "12", "-", "-", "2, 1 lost", "-"],
    ]  # fmt: skip


def test_below_the_table_stand_the_backlog_why_a_breaker_is_open_and_the_workers() -> None:
    text = render_status_text(STATUS)
    assert "1,300 images registered, 5 jobs wait to be tried again\n" in text
    assert "to post-process: merge 1,200 (due for 1m1s), enrich 0\n" in text
    assert "clip is open: SERVICE_UNREACHABLE: refused\n" in text
    assert text.endswith(render_workers(STATUS.workers))


def test_a_share_that_is_not_mounted_is_not_told_as_a_fault_of_the_service() -> None:
    status = FleetStatus(
        1, [ServiceStatus("clip", breaker="open", breaker_reason="IMAGE_NOT_FOUND: IMAGE_ROOT=/share")]
    )
    assert "clip waits for its images: IMAGE_NOT_FOUND: IMAGE_ROOT=/share\n" in render_status_text(status)


def test_marks_that_were_not_counted_to_the_end_are_shown_as_more() -> None:
    assert "merge 100,000+\n" in render_status_text(replace(STATUS, backlog=[Backlog("merge", MOST_MARKS, None)]))


def test_a_worker_is_shown_with_what_it_does() -> None:
    auto = replace(WORKER, concurrency_auto=True, job_seconds=5.0)
    shown = [[cell.strip() for cell in cells(line)] for line in render_workers([auto, LOST]).splitlines()[1:]]
    assert shown == [
        ["pi", "pi3", "17", "clip", "live", "1h6m", "3s ago", "5s ago", "5", "1", "2", "2.000", "3", "auto 4",
         "closed"],
        ["pi", "pi3", "17", "clip", "lost", "1h6m", "1m1s ago", "-", "5", "1", "2", "2.000", "3", "4", "closed"],
    ]  # fmt: skip


def test_many_workers_are_shown_only_when_asked_for() -> None:
    many = replace(STATUS, workers=[replace(WORKER, pid=pid) for pid in range(FEW_WORKERS + 1)])
    assert render_status_text(many).endswith(f"\n{FEW_WORKERS + 1} rows of workers: --workers shows them\n")
    assert render_status_text(many, workers=True).endswith(render_workers(many.workers))


BLIND = FleetStatus(
    0, [ServiceStatus("pose")], database="DATABASE_UNAVAILABLE: away", broker="BROKER_UNAVAILABLE: away"
)


def test_what_cannot_be_known_is_a_dash_and_null_and_is_said() -> None:
    assert render_status_text(BLIND).splitlines()[1].split() == ["pose", *"------------"]
    assert "registered" not in render_status_text(BLIND)
    document = render_status_json(BLIND)
    assert document["images"] is None
    [pose] = orjson.loads(orjson.dumps(document))["services"]
    assert {name for name, value in pose.items() if value is not None} == {"service", "breaker_open"}
    assert render_unavailable(BLIND) == [
        "the results cannot be seen: DATABASE_UNAVAILABLE: away",
        "the queues cannot be seen: BROKER_UNAVAILABLE: away",
    ]
    assert render_unavailable(STATUS) == []


def test_the_json_has_every_number_under_its_name() -> None:
    document = orjson.loads(orjson.dumps(render_status_json(STATUS)))
    assert (document["images"], document["retrying"], document["broker"]) == (1300, 5, None)
    clip = document["services"][0]
    assert (clip["done"], clip["eta_seconds"], clip["breaker"], clip["workers"]) == (1200, 11_520, "open", 3)
    assert clip["failures"] == {"SERVICE_ERROR": 2, "BAD_RESPONSE": 1}
    assert [worker["lost"] for worker in document["workers"]] == [False, False, True]
    assert document["backlog"][0] == {"stage": "merge", "marks": 1200, "overdue_seconds": 61}


def asked(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_to(parser.add_subparsers())
    return parser.parse_args(["status", *arguments])


def test_status_looks_once_at_all_services_unless_told_otherwise() -> None:
    assert (asked().services, asked().watch, asked().lost_after) == ("all", None, 60)
    assert (asked("--watch").watch, asked("--watch", "5", "--json").watch) == (2, 5)


@pytest.mark.parametrize("seconds", ["0", "nan", "soon", "-1"])
def test_a_time_that_is_none_is_a_mistake(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        asked(f"--watch={seconds}")
    assert ended.value.code == 2
    assert "--watch" in capsys.readouterr().err


def test_a_blind_service_is_called_blind() -> None:
    blind = replace(AWAY, breaker_reason="SERVICE_BLIND: clip finds nothing")
    assert "BLIND 1/1" in render_status_table(replace(STATUS, services=[of(blind)]))
    assert "BLIND" not in render_status_table(replace(STATUS, services=[of(AWAY)]))


UPSCALE = StepStatus("upscale", MOST_TASKS, 3, 1, 0, 0, 0, workers=2)
GRAIN = StepStatus("grain", 0, 0, 0, 0, 0, 1, workers=0)
IDLE = StepStatus("sharpen", 0, 0, 0, 0, 0, 0, workers=0)


def test_steps_are_shown_where_there_is_work_or_a_worker_and_those_that_nobody_runs_stand_out() -> None:
    text = render_steps(FleetStatus(0, [], steps=[UPSCALE, GRAIN, IDLE], jobs={"queued": 1, "running": 1200}))
    assert [line.split() for line in text.strip().splitlines()] == [
        ["step", "claimable", "running", "lost", "put", "off", "waiting", "to", "plan", "workers"],
        ["upscale", "10,000+", "3", "1", "0", "0", "0", "2"],
        ["grain", "0", "0", "0", "0", "0", "1", "NONE"],
        ["jobs:", "1", "queued,", "1,200", "running"],
    ]


def test_a_step_whose_engine_is_away_says_why_its_tasks_are_put_off() -> None:
    paused = replace(UPSCALE, step="engine", paused="SERVICE_UNREACHABLE: the engine comfy is not well")
    text = render_steps(FleetStatus(0, [], steps=[paused, GRAIN]))
    assert "engine waits: SERVICE_UNREACHABLE: the engine comfy is not well\n" in text
    assert "grain waits" not in text


def test_a_fleet_without_jobs_shows_nothing_of_them() -> None:
    assert render_steps(FleetStatus(0, [], steps=[IDLE])) == ""


def test_the_steps_and_jobs_are_in_the_json() -> None:
    document = orjson.loads(orjson.dumps(render_status_json(FleetStatus(0, [], steps=[GRAIN], jobs={"queued": 1}))))
    assert (document["jobs"], document["steps"][0]["unplanned"]) == ({"queued": 1}, 1)
