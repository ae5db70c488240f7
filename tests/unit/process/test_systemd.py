"""sd_notify over a real socket, as systemd opens it."""

import asyncio
import contextlib
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.unit.world import Clock
from tests.waiting import settled, turns
from windmill.core.settings import Supervisor, supervisor
from windmill.process.systemd import STALL_SECONDS, Notifier


class Systemd:
    """The end of the socket that systemd reads."""

    def __init__(self, path: str) -> None:
        self.name = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + path[1:] if path.startswith("@") else path)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        said = []
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(self._socket.recv(65536).decode())
        return said

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a path", "an abstract name"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    unique = uuid.uuid4().hex
    listening = Systemd(f"@{unique}" if request.param == "an abstract name" else str(tmp_path / "notify"))
    yield listening
    listening.close()


def notifier(
    systemd: Systemd, watchdog: float | None = None, clock: Clock | None = None, rests: list[float] | None = None
) -> Notifier:
    """Sleeps take no time; their lengths are recorded."""

    async def rest(seconds: float) -> None:
        if rests is not None:
            rests.append(seconds)
        await turns(20)  # a socket takes only so many messages that nobody reads

    return Notifier(Supervisor(systemd.name, watchdog), clock=clock or Clock(), sleep=rest)


def test_states_arrive_at_the_socket(systemd: Systemd) -> None:
    one = notifier(systemd)
    one.ready("consumes clip")
    one.status("waits for the broker: refused")
    one.stopping()
    assert "\n".join(systemd.heard()).splitlines() == [
        "READY=1",
        "STATUS=consumes clip",
        "STATUS=waits for the broker: refused",
        "STOPPING=1",
    ]


def test_a_status_is_one_line_whatever_an_error_says(systemd: Systemd) -> None:
    notifier(systemd).status("refused\nREADY=1\r\nand \ud800 more")
    assert systemd.heard() == ["STATUS=refused READY=1 and ? more"]


def test_nothing_is_sent_without_a_notify_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(socket, "socket", forbidden)
    one = Notifier()
    one.ready("consumes clip")
    one.status("waits")
    one.stopping()
    one.tick()


async def test_without_a_watchdog_no_watchdog_signals_are_sent(systemd: Systemd) -> None:
    await asyncio.wait_for(notifier(systemd).send_watchdog(), 1)
    await asyncio.wait_for(Notifier(None).send_watchdog(), 1)
    assert systemd.heard() == []


@pytest.mark.parametrize("name", ["/nowhere/at/all", "@nobody-listens-here", "/" + "x" * 500])
def test_a_missing_socket_is_ignored(name: str) -> None:
    one = Notifier(Supervisor(name, None))
    one.ready("consumes clip")
    one.stopping()


@contextlib.asynccontextmanager
async def alive(one: Notifier) -> AsyncIterator[None]:
    task = asyncio.create_task(one.send_watchdog())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_watchdog_signals_are_sent_three_times_as_often_as_required(systemd: Systemd) -> None:
    rests: list[float] = []
    async with alive(notifier(systemd, watchdog=0.15, rests=rests)):
        await settled()
    heard = systemd.heard()
    assert set(heard) == {"WATCHDOG=1"}
    assert len(heard) == len(rests) > 1
    assert rests == pytest.approx([0.05] * len(rests))


async def test_a_stalled_main_loop_sends_no_watchdog_signal_until_its_next_iteration(systemd: Systemd) -> None:
    clock = Clock()
    one = notifier(systemd, watchdog=0.03, clock=clock)
    async with alive(one):
        await settled()
        assert systemd.heard()
        clock.now += STALL_SECONDS
        await settled()
        assert systemd.heard() == [], "the event loop runs, and that is not enough"
        one.tick()
        await settled()
        assert "WATCHDOG=1" in systemd.heard()


async def test_finishing_may_take_longer_than_a_main_loop_may_stall(systemd: Systemd) -> None:
    clock = Clock()
    one = notifier(systemd, watchdog=0.03, clock=clock)
    async with alive(one):
        one.stopping()
        clock.now += 1000
        systemd.heard()
        await settled()
        assert "WATCHDOG=1" in systemd.heard()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": ""}, None),
        ({"WATCHDOG_USEC": "30000000"}, None),
        ({"NOTIFY_SOCKET": "/run/x"}, Supervisor("/run/x", None)),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1500000"}, Supervisor("/run/x", 1.5)),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}, Supervisor("/run/x", None)),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "0"}, Supervisor("/run/x", None)),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "soon"}, Supervisor("/run/x", None)),
    ],
)
def test_the_supervisor_is_read_from_the_variables_of_systemd(
    environ: dict[str, str], expected: Supervisor | None
) -> None:
    assert supervisor(environ) == expected
