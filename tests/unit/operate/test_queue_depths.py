"""The lengths of queues: who serves people shows what was told a moment ago, and asks meanwhile."""

import asyncio
from dataclasses import dataclass, field

import pytest

from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.operate.status.median_times import KNOWN_SECONDS, MedianTimes
from windmill.operate.status.queue_depths import QueueDepths, QueueReader


@dataclass
class SlowBroker:
    """Answers when it is let; each answer has one job more."""

    answers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    asked: int = 0
    away: bool = False
    closed: bool = False

    async def read(self) -> QueueDepths:
        self.asked += 1
        await self.answers.acquire()
        if self.away:
            raise WindmillError("BROKER_UNAVAILABLE", "refused")
        return QueueDepths({"clip": self.asked}, {}, {}, 0)

    async def close(self) -> None:
        self.closed = True


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def test_what_was_told_lately_is_told_at_once_while_the_broker_is_asked_anew() -> None:
    broker, clock = SlowBroker(asyncio.Semaphore(1)), Clock()
    reader = QueueReader(broker, clock)
    assert (await reader.read(10)).ordinary == {"clip": 1}
    clock.now = 0.5
    assert (await reader.read(10)).ordinary == {"clip": 1}
    assert broker.asked == 1
    clock.now = 5.0
    assert [(await reader.read(10)).ordinary["clip"] for _ in range(3)] == [1, 1, 1]
    broker.answers.release()
    clock.now = 6.0
    await until(lambda: tells(reader, 2), 10)
    assert broker.asked == 2


async def test_what_is_too_old_is_waited_for_and_so_is_everything_where_nothing_old_will_do() -> None:
    broker, clock = SlowBroker(asyncio.Semaphore(3)), Clock()
    reader = QueueReader(broker, clock)
    assert (await reader.read(10)).ordinary == {"clip": 1}
    clock.now = 11.0
    assert (await reader.read(10)).ordinary == {"clip": 2}
    assert (await reader.read()).ordinary == {"clip": 3}


async def test_who_wants_it_fresh_does_not_take_an_answer_that_was_begun_before() -> None:
    broker, clock = SlowBroker(asyncio.Semaphore(1)), Clock()
    reader = QueueReader(broker, clock)
    await reader.read(10)
    clock.now = 5.0
    await reader.read(10)
    fresh = asyncio.ensure_future(reader.read())
    broker.answers.release()
    broker.answers.release()
    assert (await fresh).ordinary == {"clip": 3}


async def test_a_broker_that_is_away_is_told_of_at_once_and_asked_again() -> None:
    broker, clock = SlowBroker(asyncio.Semaphore(1), away=True), Clock()
    reader = QueueReader(broker, clock)
    for now in (0.0, 5.0):
        clock.now = now
        with pytest.raises(WindmillError, match="refused"):
            await reader.read(10)
    broker.away = False
    broker.answers.release()  # for what was asked meanwhile
    broker.answers.release()
    await reader.read()
    clock.now = 7.0
    await reader.read(10)
    await reader.close()
    assert broker.closed


async def tells(reader: QueueReader, jobs: int) -> bool:
    return (await reader.read(10)).ordinary == {"clip": jobs}


@dataclass
class Rows:
    asked: int = 0

    async def fetch(self, statement: str) -> list[dict[str, object]]:
        assert "percentile_cont" in statement
        self.asked += 1
        return [{"service": "clip", "p50": self.asked}]


async def test_median_times_are_read_once_in_a_while() -> None:
    rows, clock = Rows(), Clock()
    times = MedianTimes(clock)
    assert [dict(await times.read(rows)) for _ in range(3)] == [{"clip": 1}] * 3  # type: ignore[arg-type]
    clock.now = KNOWN_SECONDS
    assert dict(await times.read(rows)) == {"clip": 2}  # type: ignore[arg-type]
