"""One rig for each kind of engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.engines.rigs import BuiltinRig, ComfyUiRig, HttpRig, ProcessRig, Rig


@pytest.fixture(params=["builtin", "process", "lines", "http", "comfyui"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    made: dict[str, Rig] = {
        "builtin": BuiltinRig(),
        "process": ProcessRig(),
        "lines": ProcessRig(keep_alive=True),
        "http": HttpRig(),
        "comfyui": ComfyUiRig(tmp_path / "comfyui"),
    }
    yield made[request.param]
    await made[request.param].close()
