"""What the parameters of a step of a job say: how a preset's plan is written down for the worker.

    {"name": "shots", "files": {"face": {"input": "face"}}, "each": [{"seed": 1}, {"seed": 2}]}

`name` is what the preset calls the step, `files` where its inputs come from (windmill.jobs.task_files), `each` has the
parameters of each run, `task` and `engines` are for a step that an engine does.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs


def plan_runs(_: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
    """A task for each run."""
    return ({"parameters": one} for one in inputs.parameters["each"])


def parameters_of_run(task: RunningTask) -> Mapping[str, Any]:
    """The parameters of this run."""
    found: Mapping[str, Any] = task.input["parameters"]
    return found
