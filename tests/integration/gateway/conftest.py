"""The gateway of one test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet
from tests.integration.gateway_scene import GatewayScene, gateway_scene
from windmill.core.settings import Settings


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings, tmp_path: Path) -> AsyncIterator[GatewayScene]:
    """Nothing is started yet."""
    async with gateway_scene(fleet, settings, tmp_path) as running:
        yield running
