"""A database whose stages have feeds."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.integration.fleet import Fleet
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.derive.stage_feeds import register_stage_feeds
from windmill.storage import database
from windmill.storage.database import Pool


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with database.pool(settings, "test", max_size=16) as opened:
        for stage in ("merge", "enrich", "consensus"):
            await register_stage_feeds(opened, settings, load_fleet(settings.service_config), stage)
        yield opened


@pytest.fixture
def rows(fleet: Fleet) -> asyncpg.Connection:
    return fleet.rows
