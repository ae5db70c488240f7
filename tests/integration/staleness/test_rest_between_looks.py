"""How long a stage that computes rests between two looks."""

import asyncio
from collections.abc import Mapping, Sequence

import asyncpg
import pytest

from tests.integration.staleness.stale_marks import MARK, STAGE
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.recompute import REST, RecomputeRunner
from windmill.storage.database import Connection, Pool

pytestmark = pytest.mark.database

SLOW_SECONDS = 0.06


class Clock:
    """Goes on as it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Slow:
    """A stage whose looks take a while, by this clock."""

    stage: Stage = STAGE

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.looked: list[list[int]] = []

    async def read(self, _: Connection, image_ids: Sequence[int]) -> Mapping[int, int]:
        self.looked.append(list(image_ids))
        self._clock.now += SLOW_SECONDS
        return dict.fromkeys(image_ids, 0)

    def compute(self, source: int) -> int:
        return source

    async def write(self, _: Connection, computed: Mapping[int, int]) -> int:
        return len(computed)


async def test_after_a_long_look_more_images_are_looked_at_together(
    pool: Pool, settings: Settings, rows: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, never, rests = Clock(), asyncio.Event(), []
    slow = Slow(clock)
    work = RecomputeRunner(slow, pool, settings)

    async def rest(_: asyncio.Event, seconds: float) -> None:
        rests.append(seconds)
        clock.now += seconds
        await rows.execute(MARK, STAGE, [3])

    monkeypatch.setattr("windmill.derive.recompute.time", clock)
    monkeypatch.setattr("windmill.derive.recompute.pause", rest)
    await rows.execute(MARK, STAGE, [1])
    assert await work.run_round(never) == 1
    await rows.execute(MARK, STAGE, [2])
    assert await work.run_round(never) == 2
    assert slow.looked == [[1], [2, 3]]
    assert rests == [pytest.approx((REST - 1) * SLOW_SECONDS)]


async def test_a_stage_that_finds_as_much_as_it_takes_does_not_rest(
    pool: Pool, environ: dict[str, str], rows: asyncpg.Connection
) -> None:
    settings = Settings.from_env({**environ, "POSTPROCESS_IMAGES": "2", "POLL_MILLISECONDS": "60000"})
    slow, never = Slow(Clock()), asyncio.Event()
    work = RecomputeRunner(slow, pool, settings)
    await rows.execute(MARK, STAGE, [1, 2, 3, 4])
    async with asyncio.timeout(30):
        assert [await work.run_round(never), await work.run_round(never)] == [2, 2]
    assert slow.looked == [[1, 2], [3, 4]]
