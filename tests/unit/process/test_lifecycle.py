"""What long-running programs share: waiting for the database, a progress log, stopping."""

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Callable

import pytest

from tests.unit.world import Clock
from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.core.settings import Settings
from windmill.process.lifecycle import Program, progress_log, retry_until_stopped
from windmill.process.systemd import STALL_SECONDS, Notifier

logger = logging.getLogger("tests.program")
AWAY = WindmillError("DATABASE_UNAVAILABLE", "no route to it")
WRONG = WindmillError("CONFIG_INVALID", "no such account")


class Server:
    """Succeeds after some failures; `on_try` is called at each try."""

    def __init__(self, *failures: WindmillError, on_try: Callable[[], None] = lambda: None) -> None:
        self._failures = list(failures)
        self._on_try = on_try

    async def ask(self) -> None:
        self._on_try()
        if self._failures:
            raise self._failures.pop(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def program(clock: Clock) -> Program:
    settings = Settings.from_env({"WORKER_ID": "k3"})
    return Program("windmill-mill", "mills.wind", settings, asyncio.Event(), Notifier(clock=clock))


@pytest.fixture
def outage() -> Outage:
    return Outage("the database", first=0.001, maximum=0.001)


async def said(caplog: pytest.LogCaptureFixture, message: str) -> logging.LogRecord:
    """The first line with this message, as soon as it is there."""

    def found() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.getMessage() == message]

    await until(found, 5, lambda: f"{message!r} in {caplog.messages}")
    return found()[0]


async def test_a_program_waits_for_its_database_until_it_is_there(program: Program, outage: Outage) -> None:
    assert await retry_until_stopped(program, outage, Server(AWAY, AWAY).ask)
    assert not outage.lasts
    assert outage.ended == 1


async def test_a_program_that_waits_for_its_database_is_alive(program: Program, outage: Outage, clock: Clock) -> None:
    def a_long_time_passes() -> None:
        clock.now += STALL_SECONDS - 1

    assert await retry_until_stopped(program, outage, Server(AWAY, AWAY, on_try=a_long_time_passes).ask)
    assert program.notifier.stalled() is None


async def test_a_program_that_waits_for_its_database_stops_on_a_signal(program: Program) -> None:
    for_hours = Outage("the database", first=3600, maximum=3600)
    server = Server(*[AWAY] * 9, on_try=program.stop.set)
    assert await asyncio.wait_for(retry_until_stopped(program, for_hours, server.ask), 5) is False


async def test_an_error_that_retries_do_not_help_ends_the_waiting(program: Program, outage: Outage) -> None:
    with pytest.raises(WindmillError) as raised:
        await retry_until_stopped(program, outage, Server(AWAY, WRONG).ask)
    assert raised.value is WRONG


async def test_progress_is_logged_only_when_a_counter_changed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    counts: Counter[str] = Counter(stored=3)
    looks, looked_often = itertools.count(1), asyncio.Event()

    def counted() -> dict[str, int]:
        if next(looks) == 5:
            looked_often.set()
        return dict(counts)

    async with progress_log(logger, counted, seconds=0.0), asyncio.timeout(5):
        await looked_often.wait()
        assert caplog.records == []
        counts["stored"] = 7
        assert vars(await said(caplog, "progress"))["stored"] == 7


async def test_the_last_line_of_a_program_has_all_its_counters(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    counts: Counter[str] = Counter()
    async with progress_log(logger, lambda: counts):
        counts["stored"] = 2
    assert [(record.getMessage(), vars(record)["stored"]) for record in caplog.records] == [("stopped", 2)]


async def test_a_program_that_failed_does_not_log_that_it_stopped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(WindmillError):
        async with progress_log(logger, dict):
            raise AWAY
    assert caplog.records == []


async def test_a_program_announces_itself_by_what_it_does_and_by_its_name(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    program.announce(logger, "milling", "mills wheat", grain="wheat")
    [record] = caplog.records
    assert record.getMessage() == "milling"
    assert (vars(record)["grain"], vars(record)["worker_id"]) == ("wheat", "k3")
    assert program.title == "windmill-mill k3"
