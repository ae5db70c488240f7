"""What systemd hears of a process of several parts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.process.test_systemd import Systemd
from tests.unit.world import Clock
from windmill.core.settings import Supervisor
from windmill.process.part_notifier import SharedNotifier
from windmill.process.systemd import STALL_SECONDS


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(str(tmp_path / "notify"))
    yield listening
    listening.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(systemd: Systemd, clock: Clock) -> SharedNotifier:
    return SharedNotifier(["services", "steps"], Supervisor(systemd.name, None), clock=clock)


def test_a_process_is_ready_once_all_of_its_parts_are(systemd: Systemd, shared: SharedNotifier) -> None:
    shared.parts["services"].ready("consumes clip")
    assert systemd.heard() == ["STATUS=services: consumes clip"]
    shared.parts["steps"].ready("runs upscale")
    assert systemd.heard() == ["READY=1", "STATUS=services: consumes clip; steps: runs upscale"]
    shared.parts["services"].status("waits for the broker: refused")
    assert systemd.heard()[-1] == "STATUS=services: waits for the broker: refused; steps: runs upscale"


def test_a_process_that_stops_says_so(systemd: Systemd, shared: SharedNotifier) -> None:
    shared.parts["steps"].stopping()
    assert systemd.heard() == ["STOPPING=1"]


def test_a_process_is_stalled_when_one_of_its_parts_is(shared: SharedNotifier, clock: Clock) -> None:
    clock.now += STALL_SECONDS
    shared.parts["services"].tick()
    assert shared.stalled() == "steps: no iteration for 30 s"
    shared.parts["steps"].tick()
    assert shared.stalled() is None


def test_a_part_that_has_ended_does_not_stall_those_that_still_finish(shared: SharedNotifier, clock: Clock) -> None:
    shared.parts["services"].stopping()
    clock.now += 2 * STALL_SECONDS
    shared.parts["steps"].tick()
    assert shared.stalled() is None
