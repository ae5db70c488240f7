"""What the doctor says of engines."""

import json
from pathlib import Path
from typing import Any

from windmill.core.settings import Settings
from windmill.operate.doctor.engines import examine

CLOSED = {"DB_HOST": "127.0.0.1", "DB_PORT": "1", "QUEUE_HOST": "127.0.0.1", "QUEUE_PORT": "1"}


async def told(folder: Path, **engines: Any) -> dict[str, tuple[str, str]]:  # noqa: ANN401 - any JSON
    config = folder / "services.json"
    config.write_text(json.dumps({"services": {}, "engines": engines}))
    found = await examine(Settings.from_env({**CLOSED, "SERVICE_CONFIG": str(config)}))
    return {one.name: (one.state, one.found) for one in found}


async def test_each_engine_is_listed_with_its_kind_and_what_it_says(tmp_path: Path) -> None:
    found = await told(tmp_path, painter={"kind": "process", "command": ["no-such-program"]})
    assert found["painter"][0] == "problem"
    assert "no-such-program is not a program" in found["painter"][1]
    assert found["default"][0] == "ok"
    assert found["default"][1].startswith("builtin: ")
    assert "fleet" not in found, "what it needs is what the areas broker, topology and database look at"


async def test_models_are_left_to_the_command_that_reads_them(tmp_path: Path) -> None:
    models = [{"file": "a.safetensors", "sha256": "0" * 64}]
    found = await told(tmp_path, sketch={"kind": "builtin", "models": models, "models_folder": str(tmp_path)})
    assert found["sketch"][0] == "ok"


async def test_a_variable_that_an_engine_needs_is_a_problem_of_its_own(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer ${NO_SUCH_KEY_IS_SET}"}
    found = await told(tmp_path, gpu={"kind": "http", "url": "http://127.0.0.1:1", "headers": headers})
    assert found["NO_SUCH_KEY_IS_SET"][0] == "problem"
