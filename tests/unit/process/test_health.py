"""Liveness and readiness checks."""

import pytest

from tests.unit.world import Clock
from windmill.core.outages import Outage
from windmill.process.health import Health, HealthCheck, HealthReport, merge_reports
from windmill.process.systemd import STALL_SECONDS, Notifier


def well() -> None:
    return None


def broken() -> str | None:
    raise RuntimeError("no such thing")


@pytest.mark.parametrize(
    ("alive", "ready", "told_alive", "told_ready"),
    [
        ({}, {}, HealthReport([], {}), HealthReport([], {})),
        ({"loop": well}, {"broker": well}, HealthReport(["loop"], {}), HealthReport(["loop", "broker"], {})),
        (
            {"loop": well},
            {"broker": lambda: "away"},
            HealthReport(["loop"], {}),
            HealthReport(["loop"], {"broker": "away"}),
        ),
        (
            {"loop": lambda: "late"},
            {"broker": well},
            HealthReport([], {"loop": "late"}),
            HealthReport(["broker"], {"loop": "late"}),
        ),
    ],
)
def test_a_process_that_waits_is_alive_and_one_that_is_not_alive_is_not_ready(
    alive: dict[str, HealthCheck], ready: dict[str, HealthCheck], told_alive: HealthReport, told_ready: HealthReport
) -> None:
    health = Health(alive=alive, ready=ready)
    assert (health.alive(), health.ready()) == (told_alive, told_ready)


def test_a_check_that_raises_fails_and_hides_no_other() -> None:
    report = Health(alive={"one": broken, "other": well}, ready={}).alive()
    assert report == HealthReport(["other"], {"one": "the check itself failed: RuntimeError('no such thing')"})


def test_a_check_of_several_parts_fails_if_it_does_in_one_and_says_in_which() -> None:
    reports = {
        "services": HealthReport(["running", "broker"], {"database": "away"}),
        "stages": HealthReport(["running"], {"database": "unavailable for 3 s"}),
        "steps": HealthReport(["database"], {"broker": "away"}),
    }
    assert merge_reports(reports) == HealthReport(
        ["running"], {"database": "services: away; stages: unavailable for 3 s", "broker": "steps: away"}
    )


def test_a_main_loop_without_an_iteration_for_long_is_stalled_until_the_next_one() -> None:
    clock = Clock()
    notifier = Notifier(clock=clock)
    clock.now += STALL_SECONDS - 1
    assert notifier.stalled() is None
    clock.now += 1
    assert notifier.stalled() == "no iteration for 30 s"
    notifier.tick()
    assert notifier.stalled() is None


def test_a_main_loop_is_never_stalled_while_the_process_stops() -> None:
    clock = Clock()
    notifier = Notifier(clock=clock)
    notifier.stopping()
    clock.now += 1000
    assert notifier.stalled() is None


def test_a_server_fails_its_check_until_it_is_reached_and_during_an_outage() -> None:
    clock = Clock()
    outage = Outage("the broker", clock=clock)
    assert outage.trouble == "not reached yet"
    outage.over()
    assert [outage.trouble, outage.ended] == [None, 0]
    outage.failed(OSError("gone"))
    clock.now += 7
    outage.failed(OSError("gone"))
    assert [outage.trouble, outage.ended] == ["unavailable for 7 s", 0]
    outage.over()
    outage.over()
    assert [outage.trouble, outage.ended] == [None, 1]
