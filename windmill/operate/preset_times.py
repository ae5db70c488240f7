"""How long jobs of presets took lately, by preset and level."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.jobs.measured_times import FEWEST, NEWEST
from windmill.storage import database
from windmill.storage.queries import queries

LOOKED_AT = 10_000
"""The last jobs that have ended; no more are looked at, however many there are."""
SECONDS = 3.0
"""Whoever only wants to see presets does not wait for the database."""


class PresetTime(NamedTuple):
    """The median of so many jobs."""

    seconds: float
    jobs: int


TimesOfLevels = Mapping[str, PresetTime]
PresetTimes = Mapping[str, TimesOfLevels]


async def read_preset_times(settings: DatabaseSettings) -> PresetTimes:
    """Where there are enough jobs; nothing if the database cannot be asked."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _measure(settings)
    except (TimeoutError, WindmillError):
        return {}


async def _measure(settings: DatabaseSettings) -> PresetTimes:
    async with database.connection(settings, "windmill presets") as rows:
        return await measure_presets(rows)


async def measure_presets(rows: database.Connection) -> PresetTimes:
    """The same over this connection."""
    found = await rows.fetch(queries()["measure_presets"], LOOKED_AT, NEWEST)
    times: dict[str, dict[str, PresetTime]] = {}
    for row in found:
        if row["jobs"] >= FEWEST:
            times.setdefault(row["preset"], {})[row["quality"]] = PresetTime(round(row["seconds"], 1), row["jobs"])
    return times
