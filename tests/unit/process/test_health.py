"""Whether a process is well, by what it knows already."""

import pytest

from tests.unit.world import Clock
from windmill.core.outages import Outage
from windmill.process.health import Health, Ping, Report
from windmill.process.systemd import STALE_SECONDS, Notifier


def well() -> None:
    return None


def broken() -> str | None:
    raise RuntimeError("no such thing")


@pytest.mark.parametrize(
    ("alive", "ready", "told_alive", "told_ready"),
    [
        ({}, {}, Report([], {}), Report([], {})),
        ({"loop": well}, {"broker": well}, Report(["loop"], {}), Report(["loop", "broker"], {})),
        ({"loop": well}, {"broker": lambda: "away"}, Report(["loop"], {}), Report(["loop"], {"broker": "away"})),
        (
            {"loop": lambda: "late"},
            {"broker": well},
            Report([], {"loop": "late"}),
            Report(["broker"], {"loop": "late"}),
        ),
    ],
)
def test_what_waits_is_alive_and_what_is_not_alive_is_not_ready(
    alive: dict[str, Ping], ready: dict[str, Ping], told_alive: Report, told_ready: Report
) -> None:
    health = Health(alive=alive, ready=ready)
    assert (health.alive(), health.ready()) == (told_alive, told_ready)


def test_a_ping_that_breaks_fails_and_hides_no_other() -> None:
    report = Health(alive={"one": broken, "other": well}, ready={}).alive()
    assert report == Report(["other"], {"one": "the ping itself failed: RuntimeError('no such thing')"})


def test_a_main_loop_is_late_once_it_did_not_come_round_for_long_until_it_does() -> None:
    clock = Clock()
    notifier = Notifier(clock=clock)
    clock.now += STALE_SECONDS - 1
    assert notifier.late() is None
    clock.now += 1
    assert notifier.late() == "has not come round for 30 s"
    notifier.tick()
    assert notifier.late() is None


def test_a_main_loop_that_ends_what_has_begun_is_never_late() -> None:
    clock = Clock()
    notifier = Notifier(clock=clock)
    notifier.stopping()
    clock.now += 1000
    assert notifier.late() is None


def test_a_server_is_in_trouble_until_it_is_reached_and_while_it_is_away() -> None:
    clock = Clock()
    outage = Outage("the broker", clock=clock)
    assert outage.trouble == "not reached yet"
    outage.over()
    assert [outage.trouble, outage.ended] == [None, 0]
    outage.failed(OSError("gone"))
    clock.now += 7
    outage.failed(OSError("gone"))
    assert [outage.trouble, outage.ended] == ["away for 7 s", 0]
    outage.over()
    outage.over()
    assert [outage.trouble, outage.ended] == [None, 1]
