"""The gateway of one test, and one with a talk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet
from tests.integration.gateway_scene import GatewayScene, gateway_scene
from tests.integration.talk_scene import TalkScene, talk_scene
from windmill.core.settings import Settings


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings, tmp_path: Path) -> AsyncIterator[GatewayScene]:
    """Nothing is started yet."""
    async with gateway_scene(fleet, settings, tmp_path) as running:
        yield running


@pytest.fixture
async def talk(fleet: Fleet, settings: Settings, tmp_path: Path) -> AsyncIterator[TalkScene]:
    async with talk_scene(fleet, settings, tmp_path) as scene:
        yield scene
