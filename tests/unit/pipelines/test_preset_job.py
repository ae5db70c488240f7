"""The job of a request, as it is written down for workers."""

import pytest

from tests.unit.pipelines.made_presets import DRAWN
from tests.unit.pipelines.test_preset_requests import request
from windmill.core.errors import WindmillError
from windmill.jobs.step import StepCatalog
from windmill.jobs.submitting import NewJob
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.pipelines.presets.preset_job import Rerun, job_of_request


def job(name: str, quality: str | None = None, *engines: str, **inputs: object) -> NewJob:
    return job_of_request(request(name, quality, **inputs), STEPS, engines)


def test_steps_are_run_by_the_code_that_the_preset_names_and_keep_their_own_names() -> None:
    steps = job("photoreal_portrait_v1", "pro", prompt="a face").steps
    assert [(step.step, step.parameters["name"]) for step in steps] == [
        ("engine", "generate_image"),
        ("engine", "apply_face_restoration"),
        ("upscale", "upscale"),
    ]


def test_a_skipped_step_stays_in_the_job_with_its_reason_and_the_next_gets_what_it_would_have_got() -> None:
    steps = job("photoreal_portrait_v1", "low", prompt="a face").steps
    assert [bool(step.skip_reason) for step in steps] == [False, True, True]
    steps = job("upscale_denoise_image_v1", "standard", image="id").steps
    assert [step.parameters["files"] for step in steps] == [
        {"picture": {"input": "image"}},
        {"picture": {"step": 0}},
        {"picture": {"step": 1}},
    ]


def test_a_step_with_repeat_has_the_parameters_of_each_run_and_weighs_as_much() -> None:
    made = job_of_request(request(DRAWN, "pro", prompt="cat"), STEPS)
    assert [one["prompt"] for one in made.steps[0].parameters["each"]] == [f"cat, no. {n}" for n in (1, 2, 3)]
    assert [step.weight for step in made.steps] == [3, 1, 1, 1]


def test_an_engine_step_names_its_task_and_its_engines_unless_others_are_asked_for() -> None:
    step = job("photoreal_portrait_v1", prompt="a face").steps[0]
    assert (step.parameters["task"], step.parameters["engines"]) == ("generate_image", ["local_comfy"])
    own = job("photoreal_portrait_v1", None, "mine", "default", prompt="a face").steps[0]
    assert own.parameters["engines"] == ["mine", "default"]


def test_the_job_can_be_told_from_others_by_preset_version_quality_and_inputs() -> None:
    made = job("photoreal_portrait_v1", prompt="a face", seed=3)
    assert (made.kind, made.preset, made.preset_version) == ("photoreal_portrait_v1", "photoreal_portrait_v1", 1)
    assert (made.parameters["quality"], made.inputs["seed"]) == ("standard", 3)


def test_a_step_that_no_worker_can_do_is_refused_before_a_job_is_made() -> None:
    with pytest.raises(WindmillError, match="DEPENDENCY_MISSING: the step sheet runs contact_sheet"):
        job_of_request(request(DRAWN, prompt="a"), StepCatalog(step for step in STEPS if step.name == "engine"))


def test_the_steps_of_another_job_take_the_place_of_the_one_that_runs_it_again() -> None:
    again = Rerun(request("upscale_denoise_image_v1", "low", image="id"))
    steps = job_of_request(request("repair_pipeline_v1", failed_job_id="x"), STEPS, (), {"rerun_job": again}).steps
    assert [step.parameters["name"] for step in steps] == [
        "rerun_job.denoise",
        "rerun_job.upscale",
        "rerun_job.sharpen",
    ]
    assert [step.parameters["files"] for step in steps] == [
        {"picture": {"input": "rerun_job.image"}},
        {"picture": {"step": 0}},
        {},
    ]
    assert steps[2].skip_reason == "sharpen is false, not true"
