"""One rig for each kind of engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.engines.fleet_rig import fleet_rig
from tests.conformance.engines.rigs import BuiltinRig, ComfyUiRig, HttpRig, ProcessRig, Rig

FLEET = pytest.param("fleet", marks=[pytest.mark.broker, pytest.mark.database])


@pytest.fixture(params=["builtin", "process", "lines", "http", "comfyui", FLEET])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fleet_environ(request: pytest.FixtureRequest, kind: str) -> dict[str, str] | None:
    """The servers of a fleet, for the engine that needs one."""
    if kind != "fleet":
        return None
    environ: dict[str, str] = request.getfixturevalue("environ")
    return environ


@pytest.fixture
async def rig(kind: str, fleet_environ: dict[str, str] | None, tmp_path: Path) -> AsyncIterator[Rig]:
    if fleet_environ:
        async with fleet_rig(fleet_environ, tmp_path) as made_of_fleet:
            yield made_of_fleet
        return
    made: dict[str, Rig] = {
        "builtin": BuiltinRig(),
        "process": ProcessRig(),
        "lines": ProcessRig(keep_alive=True),
        "http": HttpRig(),
        "comfyui": ComfyUiRig(folder=tmp_path / "comfyui"),
    }
    yield made[kind]
    await made[kind].close()
