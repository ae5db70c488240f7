"""Has an engine listen to a recording, reads what it answers, and tells what people must know of that."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineOutput, EngineRequest, EngineResult, EngineWaits, OnProgress
from windmill.engines.outputs import bad_output
from windmill.jobs.step import RunningTask
from windmill.pipelines.audio.audio_files import read_json
from windmill.pipelines.job_steps.engine_choice import Chosen
from windmill.pipelines.job_steps.engine_step import RunsEngines

DEFAULT_ENGINES = ("default",)
"""For a step of which a preset names no engine."""
ANSWER = "answer.json"


def engines_of(task: RunningTask) -> Sequence[str]:
    return tuple(task.parameters.get("engines") or DEFAULT_ENGINES)


async def listen(
    engines: RunsEngines,
    engine: str,
    task: RunningTask,
    inputs: Mapping[str, Path],
    parameters: Mapping[str, Any],
    on_progress: OnProgress,
    name: str = "",
) -> EngineOutput:
    """One request to one engine. `name` tells several requests of a task apart."""
    request = EngineRequest(f"{task.name}{name}", inputs, parameters, task.scratch / f"{engine}{name}")
    made: EngineResult = await engines.run(engine, request, on_progress, task.cancelled)
    if isinstance(made, EngineWaits):
        raise WindmillError("DEPENDENCY_MISSING", f"the engine {engine} looks at pictures, and hears nothing")
    return made


def document_of(made: EngineOutput, name: str) -> Any:  # noqa: ANN401 - any JSON
    """What the engine has written: the file of this name, or the answer of a server. Raises BAD_RESPONSE."""
    found = {file.name: file.path for file in made.files}
    path = found.get(name) or found.get(ANSWER)
    if path is None:
        raise bad_output(f"it made {', '.join(found)}, and neither {name} nor an answer in JSON")
    try:
        return read_json(path)
    except ValueError as error:
        raise bad_output(f"{path.name} is not JSON") from error


def warnings_of(chosen: Chosen) -> list[str]:
    """What somebody must know who takes the result for that of the preferred engine."""
    warnings = [f"{chosen.engine} was used instead of {one}" for one in chosen.passed_over]
    made = chosen.output
    if isinstance(made, EngineOutput):
        if made.facts.get("simulated"):
            warnings.append(f"{chosen.engine}: {made.facts.get('says')}")
        warnings += [f"{chosen.engine}: {one}" for one in made.warnings]
    return warnings
