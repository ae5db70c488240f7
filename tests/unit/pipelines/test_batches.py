"""Many files are divided among several calls of an engine."""

from typing import Any

import pytest

from tests.unit.pipelines.made_presets import problems, with_value
from tests.unit.pipelines.test_preset_requests import request
from windmill.core.errors import WindmillError
from windmill.jobs.step import StepInputs
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.pipelines.job_steps.planned_runs import plan_runs
from windmill.pipelines.presets.preset_job import job_of_request

PAINTED: dict[str, Any] = {
    "id": "painted",
    "version": 1,
    "name": "Painted",
    "category": "post_processing",
    "inputs": {"photos": {"type": "images", "required": True}},
    "quality_levels": {"low": {"at_once": 4}, "pro": {"at_once": 1}},
    "engines": ["default"],
    "steps": [
        {
            "name": "paint",
            "run": "engine",
            "task": "paint",
            "inputs": {"frames": "$photos"},
            "batch_size": "$quality.at_once",
        },
        {
            "name": "varnish",
            "run": "engine",
            "task": "varnish",
            "inputs": {"frames": "$steps.paint"},
            "batch_size": 3,
        },
    ],
}


def tasks(step: int, outputs: dict[int, dict[str, int]], quality: str = "low", photos: int = 9) -> list[Any]:
    made = job_of_request(request(PAINTED, quality, photos=[f"id-{number}" for number in range(photos)]), STEPS)
    view: Any = None
    return [task["part"] for task in plan_runs(view, StepInputs(made.steps[step].parameters, outputs))]


def test_given_files_are_divided_as_the_level_says() -> None:
    parts = tasks(0, {})
    assert [(part["first"], part["count"]) for part in parts] == [(0, 4), (4, 4), (8, 4)]
    assert {part["input"] for part in parts} == {"frames"}
    assert len(tasks(0, {}, "pro")) == 9
    assert len(tasks(0, {}, photos=1)) == 1


def test_files_of_the_step_before_are_divided_when_it_is_done() -> None:
    assert [part["first"] for part in tasks(1, {0: {"files": 4}, 2: {"files": 3}})] == [0, 3, 6]
    assert tasks(1, {}) == []


def test_files_of_which_nobody_will_know_the_number_are_refused_before_a_job_is_made() -> None:
    third = {**PAINTED["steps"][1], "name": "frame", "inputs": {"frames": "$steps.paint"}}
    longer = {**PAINTED, "steps": [*PAINTED["steps"], third]}
    with pytest.raises(WindmillError, match="USAGE: the step frame has a batch_size, but frames is not made by"):
        job_of_request(request(longer, "low", photos=["id"]), STEPS)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("steps.0.batch_size", 0, "must be a whole number from 1 to 10000"),
        ("steps.0.batch_size", "$each", "is known only in a step with"),
        ("quality_levels.low.at_once", "four", "must be a whole number"),
        ("steps.0.inputs", {}, 'is for files; name them under "inputs"'),
        ("steps.1", {"name": "grain", "run": "film_grain", "batch_size": 2}, "is for steps with"),
    ],
)
def test_a_mistake_in_it_is_told(path: str, value: object, said: str) -> None:
    assert problems(PAINTED) == []
    assert any(said in one for one in problems(with_value(PAINTED, path, value))), problems(
        with_value(PAINTED, path, value)
    )
