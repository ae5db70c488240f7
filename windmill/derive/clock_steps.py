"""Marks after the clock of the database was set back: they were due at a time that is now in the future."""

import time
from collections.abc import Callable

from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.claims import MAX_RETRY_SECONDS
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

LOOK_SECONDS = 30.0
SLACK_SECONDS = 10.0
JITTER = 1.2
SERVICE_AWAY_SECONDS = 900.0
"""Longer than a service that is away is ever waited for at once."""


class ClockStepGuard:
    """Now and then makes those marks of a stage due that lie further ahead than anybody puts a mark off. Mutable."""

    def __init__(
        self, pool: Pool, settings: Settings, stage: Stage, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._stage = stage
        self._clock = clock
        self._look_at = clock() + LOOK_SECONDS

    async def look(self) -> None:
        """Cheap enough for every round: it asks the database twice a minute."""
        if self._clock() < self._look_at:
            return
        self._look_at = self._clock() + LOOK_SECONDS
        await bring_marks_forward(self._pool, self._settings, self._stage)


async def bring_marks_forward(pool: Pool, settings: Settings, stage: Stage) -> None:
    """Make marks due that lie too far ahead."""
    put_off = max(settings.debounce_most_seconds, settings.debounce_milliseconds / 1000)
    if stage == "enrich":
        put_off = max(put_off, SERVICE_AWAY_SECONDS, *settings.retry_delays)
    failed = max(put_off, MAX_RETRY_SECONDS)
    bounds = (settings.lease_seconds, put_off * JITTER, failed * JITTER)
    async with transaction(pool, settings) as connection:
        await connection.execute(queries()["bring_marks_forward"], stage, *(one + SLACK_SECONDS for one in bounds))
