"""A connection to the broker, and its queues."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.broker.queues import SERVICES
from windmill import broker
from windmill.core.settings import Settings


@pytest.fixture
async def opened(settings: Settings) -> AsyncIterator[broker.Connection]:
    async with broker.connection(settings, "test") as connection:
        yield connection


@pytest.fixture
async def publisher(opened: broker.Connection, settings: Settings) -> AsyncIterator[broker.Publisher]:
    await broker.declare(opened, settings, SERVICES)
    async with broker.publisher(opened, settings) as made:
        yield made
