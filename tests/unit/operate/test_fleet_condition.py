"""The state of each part of the fleet in a word, and what needs a hand."""

from datetime import UTC, datetime
from typing import Any

import pytest

from windmill.core.errors import ERROR_CODES, WindmillError
from windmill.core.wanted_states import WantedState
from windmill.operate.status.condition import alarms_of, many_fail, service_state, step_state, worker_state
from windmill.operate.status.figures import Backlog, FleetStatus, ServiceStatus, StepStatus, Worker
from windmill.operate.status.history import last_minutes

PAUSE = WantedState("clip", paused=True)
AT = datetime(2026, 5, 12, tzinfo=UTC)


def step(**given: Any) -> StepStatus:  # noqa: ANN401 - fields of StepStatus
    counts = dict.fromkeys(("claimable", "running", "expired", "put_off", "waiting", "unplanned", "workers"), 0)
    return StepStatus(**{"step": "cut", **counts, **given})


def worker(**given: Any) -> Worker:  # noqa: ANN401 - fields of Worker
    values: dict[str, Any] = {
        "service": "clip", "job_seconds": None, "done": 0, "failed": 0, "retried": 0, "unavailable": 0, "rate": 0.0,
        "retry_rate": 0.0, "in_progress": 0, "concurrency": 2, "concurrency_auto": False, "breaker": "closed",
        "breaker_reason": None, "process": "p", "worker_id": "w", "host": "k1", "pid": 1, "lost": False,
        "started_at": AT, "heartbeat_at": AT, "last_job_at": None, "up_seconds": 9.0, "silent_seconds": 1.0,
    }  # fmt: skip
    return Worker(**{**values, **given})


@pytest.mark.parametrize(
    ("one", "pause", "state"),
    [
        (ServiceStatus("clip", breaker="open", in_flight=3), PAUSE, "paused"),
        (ServiceStatus("clip", breaker="open", in_flight=3), None, "away"),
        (ServiceStatus("clip", breaker="half-open", in_flight=1), None, "trying"),
        (ServiceStatus("clip", breaker="closed", in_flight=1, queued=5), None, "working"),
        (ServiceStatus("clip", breaker="closed", in_flight=0, queued=5), None, "waiting"),
        (ServiceStatus("clip"), None, "idle"),
    ],
)
def test_what_stands_in_the_way_of_a_service_comes_before_what_goes_on(
    one: ServiceStatus, pause: WantedState | None, state: str
) -> None:
    assert service_state(one, pause) == state


def test_a_step_that_waits_for_its_engine_is_paused() -> None:
    steps = [step(paused="no GPU", running=1), step(running=1), step(put_off=2), step(workers=1)]
    assert [step_state(one) for one in steps] == ["paused", "working", "waiting", "idle"]
    assert step_state(step(running=1), PAUSE) == "paused"


def test_a_worker_is_lost_before_it_is_anything_else() -> None:
    workers = [worker(lost=True, in_progress=1), worker(breaker="open"), worker(in_progress=1), worker()]
    assert [worker_state(one) for one in workers] == ["lost", "paused", "live", "idle"]


def test_a_healthy_fleet_has_no_alarm() -> None:
    status = FleetStatus(
        5, [ServiceStatus("clip", queued=3, workers=1, breaker="closed")], steps=[step(claimable=1, workers=1)]
    )
    assert alarms_of(status, [worker()]) == []


def test_an_alarm_tells_what_is_what_it_means_and_what_to_do() -> None:
    reason = "SERVICE_UNREACHABLE: refused. Remedy: start it"
    services = [
        ServiceStatus("clip", breaker="open", breaker_reason=reason, queued=1, workers=1),
        ServiceStatus("face", breaker="open", breaker_reason=reason, workers=1),
        ServiceStatus("ocr", queued=1_200, workers=0),
    ]
    status = FleetStatus(5, services, broker="BROKER_UNAVAILABLE: x", steps=[step(claimable=1, unplanned=1)])
    status.backlog = [Backlog("merge", 7, 1_200.0), Backlog("enrich", 7, 20.0)]
    lost = [worker(process="q", lost=True, silent_seconds=660.0), worker(process="q", lost=True, service="face")]
    alarms = alarms_of(status, [worker(), *lost])
    assert [(one.kind, one.subject) for one in alarms] == [
        ("server", "RabbitMQ"), ("service", "clip"), ("service", "face"), ("service", "ocr"), ("step", "cut"),
        ("worker", "q"), ("stage", "merge"),
    ]  # fmt: skip
    told = {one.subject: one for one in alarms}
    assert told["clip"].means == ("Its breaker is open; 1 job waits and loses no try. SERVICE_UNREACHABLE: refused.")
    assert told["clip"].remedy == "start it"
    assert told["face"].means == "Its breaker is open. SERVICE_UNREACHABLE: refused."
    assert (told["ocr"].said, told["ocr"].means) == ("Nobody works for ocr.", "1,200 jobs wait.")
    assert told["cut"].means == "2 tasks wait."
    assert told["merge"].means == "7 images wait for it, the first for 20 min."


def test_a_broker_that_refuses_the_password_answers_and_its_alarm_names_the_settings() -> None:
    error = WindmillError("CONFIG_INVALID", "ann at h:5672: refused", "correct QUEUE_USER and QUEUE_PASSWORD, in .env")
    refused, silent = (
        alarms_of(FleetStatus(0, [], broker=str(one)), [])
        for one in (error, WindmillError("BROKER_UNAVAILABLE", "h:5672: refused"))
    )
    assert [(one.said, one.remedy) for one in refused] == [
        (
            "RabbitMQ refuses this gateway.",
            "correct QUEUE_USER and QUEUE_PASSWORD, in .env; then start the gateway again",
        )
    ]
    assert [(one.said, one.remedy) for one in silent] == [
        ("RabbitMQ does not answer.", ERROR_CODES["BROKER_UNAVAILABLE"].remedy)
    ]


def test_a_process_that_lives_on_for_another_service_is_not_lost() -> None:
    assert alarms_of(FleetStatus(0, []), [worker(lost=True), worker(service="face")]) == []


def test_many_workers_that_are_lost_at_once_are_one_alarm() -> None:
    gone = [worker(process=f"p{number}", host=f"k{number % 2}", lost=True) for number in range(4)]
    [alarm] = alarms_of(FleetStatus(0, []), gone)
    assert (alarm.said, "from k0, k1;" in alarm.means) == ("4 workers are lost.", True)


def test_many_fail_above_one_in_twenty() -> None:
    assert [many_fail(ServiceStatus("a", done, failed)) for done, failed in ((0, 0), (95, 5), (94, 6))] == [
        False, False, True,
    ]  # fmt: skip


def test_the_last_minutes_are_answers_a_second_and_nought_where_none_came() -> None:
    counts = {("clip", 9): 60, ("clip", 7): 30, ("face", 9): 600, ("clip", 6): 1}
    assert last_minutes(counts, "clip", 10, 3) == [0.5, 0, 1]
