"""One rig for each kind of engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.engines.fleet_rig import fleet_rig
from tests.conformance.engines.rigs import BuiltinRig, ComfyUiRig, HttpRig, ProcessRig, Rig

FLEET = pytest.param("fleet", marks=[pytest.mark.broker, pytest.mark.database])


@pytest.fixture(params=["builtin", "process", "lines", "http", "comfyui", FLEET])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    if request.param == "fleet":
        environ, settings = request.getfixturevalue("environ"), request.getfixturevalue("settings")
        async with fleet_rig(environ, settings, tmp_path) as made_of_fleet:
            yield made_of_fleet
        return
    made: dict[str, Rig] = {
        "builtin": BuiltinRig(),
        "process": ProcessRig(),
        "lines": ProcessRig(keep_alive=True),
        "http": HttpRig(),
        "comfyui": ComfyUiRig(folder=tmp_path / "comfyui"),
    }
    yield made[request.param]
    await made[request.param].close()
