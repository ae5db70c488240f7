"""The steps of jobs: what they plan, make and say."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.unit.kernels.pictures.made_pictures import scene
from windmill.core.errors import Code, WindmillError
from windmill.engines.engine import EngineOutput, EngineRequest, EngineWaits, OnProgress, ProducedFile
from windmill.jobs.step import JobView, StepInputs, Suspended, TaskResult
from windmill.jobs.step_state import NoBreaker, StepBreaker
from windmill.jobs.task_run import GivenTask
from windmill.pipelines.audio.forms import AUDIO_FORMS, JOIN
from windmill.pipelines.image import PICTURE_STEPS
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.pipelines.job_steps.engine_step import EngineStep, name_each
from windmill.pipelines.job_steps.picture_task import PictureTask
from windmill.pipelines.presets.known_steps import EXPORT, KNOWN_STEPS, RERUN_JOB
from windmill.pipelines.presets.preset import ENGINE
from windmill.pipelines.video.forms import PLAN, VIDEO_FORMS
from windmill.storage.jobs.rows import TaskKey

JOB = JobView(uuid.UUID(int=1), "test", {}, {}, "")


def given(
    scratch: Path,
    parameters: Mapping[str, Any],
    files: Mapping[str, Sequence[Path]],
    resumed: Mapping[str, Any] | None = None,
    **of_step: object,
) -> GivenTask:
    given = ("1-0-0", JOB, {"parameters": parameters}, of_step, files, scratch, lambda _: None)
    return GivenTask(*given, key=TaskKey(1, 0, 0), resumed=resumed)


@dataclass
class FakeEngines:
    """Each fails as it is told, or else makes a file."""

    failures: Mapping[str, Code] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    waits: EngineWaits | None = None
    breaker: StepBreaker = field(default_factory=NoBreaker)
    asked: dict[str, EngineRequest] = field(default_factory=dict)

    def version_of(self, name: str) -> str:
        return ""

    async def run(self, name: str, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> Any:  # noqa: ANN401
        self.asked[name] = request
        if name in self.failures:
            raise WindmillError(self.failures[name], f"{name} could not")
        if self.waits:
            return self.waits
        return EngineOutput([ProducedFile("a.png", request.out / "a.png", "image/png")], self.facts, ["told"])


async def drawn(engines: FakeEngines, scratch: Path, *names: str, resumed: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - a TaskResult
    task = given(scratch, {"prompt": "a cat"}, {}, resumed, task="generate_image", engines=list(names))
    return await EngineStep(engines).run(task)


def test_every_step_that_a_preset_may_name_is_there_but_for_running_a_job_again() -> None:
    assert {step.name for step in STEPS} == {ENGINE, *KNOWN_STEPS} - {RERUN_JOB.name}


def test_a_step_has_a_task_for_each_run() -> None:
    inputs = StepInputs({"each": [{"seed": 1}, {"seed": 2}]}, {})
    for step in STEPS:
        if step.name in {EXPORT.name, *VIDEO_FORMS, *AUDIO_FORMS} - {PLAN.name, JOIN.name}:
            continue  # has one for each segment, piece or range, or one for all
        assert list(step.plan(JOB, inputs)) == [{"parameters": {"seed": 1}}, {"parameters": {"seed": 2}}]


def test_steps_on_pictures_run_in_processes_of_their_own_and_those_on_videos_and_talk_start_some() -> None:
    assert {step.name for step in STEPS if not step.limits.in_child} == {
        ENGINE,
        EXPORT.name,
        *VIDEO_FORMS,
        *AUDIO_FORMS,
    }


async def test_a_step_on_pictures_makes_a_png_of_its_files(tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "in.png")
    step = PictureTask(PICTURE_STEPS["upscale"], max_pixels=lambda: 10**6)
    made = await step.run(given(tmp_path, {"factor": 2}, {"picture": [tmp_path / "in.png"]}))
    assert isinstance(made, TaskResult)
    (file,) = made.artifacts
    assert (file.name, file.media_type) == ("picture.png", "image/png")
    with Image.open(file.path) as picture:
        assert picture.size == (256, 192)


async def test_a_step_on_pictures_keeps_to_the_limit_of_pixels(tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "in.png")
    step = PictureTask(PICTURE_STEPS["upscale"], max_pixels=lambda: 20_000)
    with pytest.raises(WindmillError, match="IMAGE_TOO_LARGE"):
        await step.run(given(tmp_path, {"factor": 2}, {"picture": [tmp_path / "in.png"]}))


async def test_the_preferred_engine_does_the_work_and_the_others_are_not_asked(tmp_path: Path) -> None:
    engines = FakeEngines()
    made = await drawn(engines, tmp_path, "best", "second")
    assert (made.output["engine"], made.output["passed_over"], made.warnings) == ("best", [], ["best: told"])
    assert list(engines.asked) == ["best"]
    assert engines.asked["best"].parameters == {"task": "generate_image", "prompt": "a cat"}


async def test_what_an_engine_had_no_place_for_is_told(tmp_path: Path) -> None:
    engines = FakeEngines()
    engines.facts = {"ignored": ["sharpness", "style"]}
    made = await drawn(engines, tmp_path, "best")
    assert made.warnings == ["best has no use for sharpness, style", "best: told"]


@pytest.mark.parametrize("code", ["DEPENDENCY_MISSING", "SERVICE_UNREACHABLE", "OUT_OF_MEMORY", "BAD_RESPONSE"])
async def test_the_next_engine_does_it_where_one_cannot_and_the_job_says_so(tmp_path: Path, code: Code) -> None:
    made = await drawn(FakeEngines({"best": code}), tmp_path, "best", "second")
    assert made.output["engine"] == "second"
    assert made.output["passed_over"] == [f"best: {code}: best could not"]
    assert made.warnings == [f"second was used instead of best: {code}: best could not", "second: told"]


@pytest.mark.parametrize("code", ["USAGE", "CANCELLED", "IMAGE_UNREADABLE"])
async def test_what_the_job_is_to_blame_for_asks_no_other_engine(tmp_path: Path, code: Code) -> None:
    engines = FakeEngines({"best": code})
    with pytest.raises(WindmillError, match=code):
        await drawn(engines, tmp_path, "best", "second")
    assert list(engines.asked) == ["best"]


async def test_a_job_waits_for_an_engine_that_may_be_back_and_tells_what_the_others_lack(tmp_path: Path) -> None:
    engines = FakeEngines({"best": "DEPENDENCY_MISSING", "second": "SERVICE_UNREACHABLE"})
    with pytest.raises(WindmillError, match="best: DEPENDENCY_MISSING: best could not; second: ") as failed:
        await drawn(engines, tmp_path, "best", "second")
    assert (failed.value.code, failed.value.retry) == ("SERVICE_UNREACHABLE", "pause")


async def test_a_job_fails_at_once_where_every_engine_lacks_something(tmp_path: Path) -> None:
    with pytest.raises(WindmillError, match=r"one: DEPENDENCY_MISSING: .*; two: DEPENDENCY_MISSING: ") as failed:
        await drawn(FakeEngines(dict.fromkeys(("one", "two"), "DEPENDENCY_MISSING")), tmp_path, "one", "two")
    assert (failed.value.code, failed.value.retry) == ("DEPENDENCY_MISSING", "never")


async def test_what_no_model_has_made_is_told_with_the_job(tmp_path: Path) -> None:
    made = await drawn(FakeEngines(facts={"simulated": True, "says": "no model was asked"}), tmp_path, "default")
    assert made.warnings == ["default: no model was asked", "default: told"]


async def test_a_task_whose_engine_waits_is_suspended_and_goes_on_with_that_engine(tmp_path: Path) -> None:
    engines = FakeEngines({"best": "DEPENDENCY_MISSING"}, waits=EngineWaits({"asked": 5}, 60, 0.5))
    begun = await drawn(engines, tmp_path, "best", "fleet")
    passed_over = ["best: DEPENDENCY_MISSING: best could not"]
    state = {"engine": "fleet", "state": {"asked": 5}, "passed_over": passed_over}
    assert begun == Suspended(state, 60, 0.5, needs_files=False)
    engines.asked, engines.waits = {}, None
    made = await drawn(engines, tmp_path, "best", "fleet", resumed=begun.state)
    assert list(engines.asked) == ["fleet"]
    request = engines.asked["fleet"]
    assert (request.resumed, request.task, request.group) == ({"asked": 5}, TaskKey(1, 0, 0), f"job-{JOB.public_id}")
    assert made.output["passed_over"] == passed_over


async def test_where_another_engine_may_have_to_take_over_a_task_keeps_its_files(tmp_path: Path) -> None:
    begun = await drawn(FakeEngines(waits=EngineWaits({}, 60, 0)), tmp_path, "fleet", "second")
    assert begun.needs_files
    engines = FakeEngines({"fleet": "SERVICE_TIMEOUT"})
    made = await drawn(engines, tmp_path, "fleet", "second", resumed=begun.state)
    assert (made.output["engine"], engines.asked["second"].resumed) == ("second", None)


def test_further_files_of_an_input_have_its_name_and_a_number() -> None:
    files = {"face": [Path("1.png"), Path("2.png"), Path("3.png")], "pose": [Path("p.png")]}
    named = {name: path.name for name, path in name_each(files).items()}
    assert named == {"face": "1.png", "face_2": "2.png", "face_3": "3.png", "pose": "p.png"}


def test_two_files_never_get_one_name() -> None:
    with pytest.raises(WindmillError, match="face_2"):
        name_each({"face": [Path("1.png"), Path("2.png")], "face_2": [Path("p.png")]})
