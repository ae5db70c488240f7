"""The heartbeat of a worker: when it writes, and which numbers."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.waiting import forever, settled, until
from windmill.calling.service_state import ServiceState
from windmill.core.errors import DataRefused, WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.process.heartbeat import Execute, Heartbeat, HeartbeatRow, WatchedService
from windmill.storage.queries import queries

SETTINGS = Settings.from_env({"WORKER_ID": "pi"})
CLIP, OCR = load_fleet(ROOT / "service_config.json").select("clip,ocr")
AWAY = WindmillError("SERVICE_UNREACHABLE", "refused")


class Clock:
    """A clock that tests advance."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def answer(_: object) -> None:
    raise AssertionError("nobody asks the service here")


def state_of(clock: Clock, settings: Settings = SETTINGS) -> ServiceState:
    return ServiceState(CLIP, settings, answer, clock=clock)


def test_a_heartbeat_row_has_the_counts_of_the_service(clock: Clock) -> None:
    state = state_of(clock)
    watched = WatchedService(state, clock())
    state.counts.update(Stored=20, Failed=3, Unreadable=2, RetryLater=10, Unavailable=4)
    state.in_progress = 5
    clock.now += 10
    beat = watched.row(clock())
    assert beat == HeartbeatRow("clip", 0.0, 20, 5, 10, 4, 2.5, 1.0, 5, state.slots.size, False, "closed", None)


def test_a_heartbeat_row_shows_that_the_concurrency_is_automatic(clock: Clock) -> None:
    state = state_of(clock, Settings.from_env({"WORKER_CONCURRENCY": "auto"}))
    assert WatchedService(state, clock()).row(clock()).concurrency_auto


def test_the_last_job_is_known_to_the_second_and_none_before_the_first(clock: Clock) -> None:
    state = state_of(clock)
    watched = WatchedService(state, clock())
    assert watched.row(clock()).job_seconds is None
    state.counts["Failed"] += 1
    watched.observe(clock())
    clock.now += 7
    watched.observe(clock())
    assert watched.row(clock()).job_seconds == 7


def test_the_rate_is_that_of_the_last_minute(clock: Clock) -> None:
    state = state_of(clock)
    watched = WatchedService(state, clock())
    rates = []
    for second in range(10, 190, 10):
        clock.now = 1000 + second
        state.counts["Stored"] += 30 if second <= 60 else 0
        rates.append(watched.row(clock()).rate)
    assert rates[:6] == [3.0] * 6
    assert rates[6:13] == [2.5, 2.0, 1.5, 1.0, 0.5, 0.0, 0.0]


def test_the_first_heartbeat_has_no_rate_yet(clock: Clock) -> None:
    assert WatchedService(state_of(clock), clock()).row(clock()).rate == 0


def test_only_a_changed_breaker_makes_a_heartbeat_due_at_once(clock: Clock) -> None:
    state = state_of(clock)
    watched = WatchedService(state, clock())
    state.counts["Stored"] += 1
    assert not watched.observe(clock())
    state.breaker.trip(AWAY)
    assert watched.observe(clock())
    beat = watched.row(clock())
    assert (beat.breaker, beat.breaker_reason) == ("open", "SERVICE_UNREACHABLE: refused")
    assert not watched.observe(clock())


def test_a_reason_is_text_that_postgresql_accepts(clock: Clock) -> None:
    state = state_of(clock)
    state.breaker.trip(WindmillError("SERVICE_UNREACHABLE", "a\0b\ud800" + "c" * 1000))
    reason = WatchedService(state, clock()).row(clock()).breaker_reason
    assert reason is not None
    assert reason.startswith("SERVICE_UNREACHABLE: ab?c")
    assert len(reason) <= 300


class Database:
    """Records the executed statements, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.notes: list[tuple[Any, ...]] = []
        self.cleanings = 0
        self.tries = 0

    async def execute(self, statement: str, *arguments: object) -> None:
        self.tries += 1
        if self.error:
            raise self.error
        if statement == queries()["note_workers"]:
            self.notes.append(arguments)
        else:
            self.cleanings += 1


@contextlib.asynccontextmanager
async def present(clock: Clock, execute: Execute, *states: ServiceState) -> AsyncIterator["asyncio.Task[None]"]:
    heartbeat = Heartbeat(states, SETTINGS, execute, clock=clock, observe_seconds=0.001)
    running = asyncio.create_task(heartbeat.run())
    yield running
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_heartbeats_are_written_at_the_start_every_ten_seconds_and_at_the_end(clock: Clock) -> None:
    database = Database()
    async with present(clock, database.execute, state_of(clock), ServiceState(OCR, SETTINGS, answer)):
        await until(lambda: database.notes)
        await settled()
        assert len(database.notes) == 1
        clock.now += 10
        await until(lambda: len(database.notes) == 2)
    assert len(database.notes) == 3
    assert [(note[1], note[4], note[5], note[6]) for note in database.notes] == [
        ("pi", 0, False, ["clip", "ocr"]),
        ("pi", 10, False, ["clip", "ocr"]),
        ("pi", 10, True, ["clip", "ocr"]),
    ]
    assert len({note[0] for note in database.notes}) == 1
    assert database.cleanings == 1, "the gone are looked for at the start and then once an hour"


async def test_an_opening_breaker_is_written_at_once(clock: Clock) -> None:
    database, state = Database(), state_of(clock)
    async with present(clock, database.execute, state):
        await until(lambda: database.notes)
        state.breaker.trip(AWAY)
        await until(lambda: len(database.notes) == 2)
    assert database.notes[1][-2:] == (["open"], ["SERVICE_UNREACHABLE: refused"])


@pytest.mark.parametrize("error", [WindmillError("DATABASE_UNAVAILABLE", "it is away"), DataRefused("never")])
async def test_a_database_outage_is_one_debug_line_for_each_heartbeat_and_stops_nothing(
    clock: Clock, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(error)
    with caplog.at_level(logging.DEBUG):
        async with present(clock, database.execute, state_of(clock)) as running:
            await until(lambda: database.tries == 1)
            await settled()
            assert database.tries == 1
            clock.now += 10
            await until(lambda: database.tries == 2)
            assert not running.done()
            database.error = None
            clock.now += 10
            await until(lambda: database.notes)
    lines = [record for record in caplog.records if record.name == "windmill.process.heartbeat"]
    assert [record.levelname for record in lines] == ["DEBUG", "DEBUG"]


async def test_two_processes_of_one_name_keep_their_rows_apart(clock: Clock) -> None:
    database = Database()
    async with present(clock, database.execute, state_of(clock)), present(clock, database.execute, state_of(clock)):
        await until(lambda: len(database.notes) == 2)
    assert len({note[0] for note in database.notes}) == 2


async def test_the_heartbeat_ends_when_cancelled_although_the_driver_raises_a_timeout(clock: Clock) -> None:
    """While the server hangs, asyncpg raises the timeout of its clean-up instead of the cancellation."""
    begun = asyncio.Event()

    async def hang(*_: object) -> None:
        begun.set()
        try:
            await forever()
        except asyncio.CancelledError as cancelled:
            raise WindmillError("DATABASE_UNAVAILABLE", "TimeoutError") from cancelled

    heartbeat = Heartbeat([state_of(clock)], SETTINGS, hang, clock=clock, stop_write_seconds=0.01)
    running = asyncio.create_task(heartbeat.run())
    await begun.wait()
    running.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([running])
    assert running.cancelled()
