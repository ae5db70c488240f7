"""Converts derived rows that still stand as they did before migration 34, while everything else runs: decisions/0027.
Post-processors do so at half speed; the command `migrate --convert` as fast as it can, or is told.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from windmill.core.errors import DataRefused, WindmillError
from windmill.core.outages import Outage
from windmill.core.setting_parts import DatabaseSettings
from windmill.process.runner import pause
from windmill.storage.conversion import ConversionState, ConvertedBatch, convert_batch, end_conversion, read_conversion
from windmill.storage.database import Pool, translate_errors

logger = logging.getLogger(__name__)

BATCH_SECONDS = 0.2
"""So long a batch is to take: whoever wants one of its images waits for its end."""
FIRST_PAGES, MOST_PAGES = 16, 2_000
TAKEN_SECONDS = 5.0
"""Until a process looks again that finds another one converting."""
HELD_SECONDS = 0.5
"""Until images are tried again that another transaction holds."""
REPORT_SECONDS = 60.0
RATE_SECONDS = 60.0


def next_pages(pages: int, seconds: float) -> int:
    """How many pages to convert after a batch of so many that took so long."""
    factor = min(2.0, max(0.25, BATCH_SECONDS / max(seconds, 0.001)))
    return max(1, min(MOST_PAGES, round(pages * factor)))


def rest_seconds(seconds: float, images: int, *, share: float, most_per_second: float | None) -> float:
    """How long to rest after a batch: so that it takes no more than its share of the time, and does no more images a
    second than wanted."""
    rest = seconds * (1.0 / share - 1.0)
    return max(rest, images / most_per_second - seconds) if most_per_second else rest


@dataclass(frozen=True)
class ConversionProgress:
    """How far the conversion is; None where it is too early to tell."""

    images: int
    share_done: float
    images_per_second: float | None
    seconds_left: float | None


class ProgressMeter:
    """The rates of the last minute. Mutable."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, ConversionState]] = deque()

    def measure(self, state: ConversionState) -> ConversionProgress:
        now = self._clock()
        self._seen.append((now, state))
        while len(self._seen) > 2 and self._seen[1][0] <= now - RATE_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        seconds = now - since
        pages = before.pages_left - state.pages_left
        return ConversionProgress(
            state.images,
            state.share_done,
            (state.images - before.images) / seconds if seconds > 0 else None,
            state.pages_left * seconds / pages if pages > 0 else None,
        )


class Conversion:
    """Converts batch after batch until nothing is left, each in a transaction of its own. Any number of processes may:
    one works, the others wait until it is gone. Mutable."""

    def __init__(
        self,
        pool: Pool,
        settings: DatabaseSettings,
        report: Callable[[ConversionProgress], None],
        *,
        share: float = 1.0,
        most_per_second: float | None = None,
        report_seconds: float = REPORT_SECONDS,
        first_pages: int = FIRST_PAGES,
    ) -> None:
        self._pool, self._settings, self._report = pool, settings, report
        self._share, self._most_per_second = share, most_per_second
        self._report_seconds = report_seconds
        self._meter = ProgressMeter()
        self._report_at = 0.0
        self._pages = first_pages

    async def run(self, stop: asyncio.Event) -> bool:
        """Whether all is converted; False if it was stopped. Tries for ever, as everything works meanwhile."""
        outage = Outage("the database")
        while not stop.is_set():
            try:
                rest = await self._step()
            except (WindmillError, DataRefused) as error:
                self._pages = max(1, self._pages // 2)
                await pause(stop, outage.failed(error))
                continue
            outage.over()
            if rest is None:
                return True
            await pause(stop, rest)
        return False

    async def _step(self) -> float | None:
        """Convert a batch; how long to rest after it, None if nothing is left."""
        began = time.monotonic()
        batch = await convert_batch(self._pool, self._settings, self._pages)
        if batch is None:
            return None
        if batch.taken:
            return TAKEN_SECONDS
        seconds = time.monotonic() - began
        await self._tell()
        if not batch.pages_left:
            ended = await end_conversion(self._pool, self._settings)
            return None if ended else HELD_SECONDS
        return self._rest(batch, seconds)

    def _rest(self, batch: ConvertedBatch, seconds: float) -> float:
        if batch.waiting and not batch.images:
            return HELD_SECONDS
        if not batch.waiting or seconds > BATCH_SECONDS:
            self._pages = next_pages(self._pages, seconds)
        return rest_seconds(seconds, batch.images, share=self._share, most_per_second=self._most_per_second)

    async def _tell(self) -> None:
        if time.monotonic() < self._report_at:
            return
        self._report_at = time.monotonic() + self._report_seconds
        with translate_errors(self._settings):
            async with self._pool.acquire() as connection:
                state = await read_conversion(connection)
        if state:
            self._report(self._meter.measure(state))


async def convert_in_background(pool: Pool, settings: DatabaseSettings, stop: asyncio.Event) -> None:
    """What post-processors do beside their work, until nothing is left."""
    await Conversion(pool, settings, _log, share=0.5).run(stop)


def _log(progress: ConversionProgress) -> None:
    told = {"images": progress.images, "percent": round(100 * progress.share_done, 1)}
    if progress.images_per_second is not None:
        told["images_per_second"] = round(progress.images_per_second)
    if progress.seconds_left is not None:
        told["minutes_left"] = round(progress.seconds_left / 60)
    logger.info("derived rows are converted", extra=told)
