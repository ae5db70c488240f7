"""What the parameters of a step of a job say: how a preset's plan is written down for the worker.

    {"name": "shots", "files": {"face": {"input": "face"}}, "each": [{"seed": 1}, {"seed": 2}]}

`name` is what the preset calls the step, `files` where its inputs come from (windmill.jobs.task_files), `each` has the
parameters of each run, `task` and `engines` are for a step that an engine does. With

    "batch": {"input": "frames", "size": 8, "count": 20}

no task gets more than so many files of that input; without `count` they are what the step before has made.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs


def plan_runs(_: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
    """A task for each run, or for each part of its files."""
    batch = inputs.parameters.get("batch")
    if batch is None:
        return ({"parameters": one} for one in inputs.parameters["each"])
    parts = _parts(batch, inputs)
    return ({"parameters": one, "part": part} for one in inputs.parameters["each"] for part in parts)


def _parts(batch: Mapping[str, Any], inputs: StepInputs) -> list[dict[str, Any]]:
    """Which files each task gets; windmill.jobs.task_files brings no others."""
    count, size = batch.get("count"), batch["size"]
    if count is None:
        count = sum(output.get("files", 0) for output in inputs.outputs.values())
    return [{"input": batch["input"], "first": first, "count": size} for first in range(0, count, size)]


def parameters_of_run(task: RunningTask) -> Mapping[str, Any]:
    """The parameters of this run."""
    found: Mapping[str, Any] = task.input["parameters"]
    return found
