"""Jobs of presets made anew: forked with other inputs, and repaired by another engine at another quality."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from tests.unit.pipelines.made_presets import DRAWN, SMALL
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.outcomes import TaskSucceeded
from windmill.operate.jobs.details import show_details
from windmill.operate.jobs.preset_forks import ForkOrder, fork_preset_job
from windmill.operate.jobs.preset_jobs import submit_preset
from windmill.operate.jobs.preset_orders import PresetOrder
from windmill.operate.jobs.shown import Shown
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.storage import database
from windmill.storage.jobs.rows import StoredArtifact

pytestmark = pytest.mark.database

TWO_ENGINES: dict[str, Any] = {**DRAWN, "id": "two_engines", "engines": ["best", "second"]}
PICTURE = StoredArtifact("picture.png", "image/png", 3, "d" * 64, "key/of/picture")


class PresetScene:
    """Presets, and jobs of them whose steps end as the test says; no engine is asked."""

    def __init__(self, settings: Settings, jobs: JobScene, folder: Path) -> None:
        self.settings = settings
        self.jobs = jobs
        self.folder = folder
        settings.presets_dir.mkdir()
        for document in (DRAWN, SMALL, TWO_ENGINES):
            self.save(document)

    def save(self, document: Mapping[str, Any]) -> None:
        (self.settings.presets_dir / f"{document['id']}.json").write_text(json.dumps(document))

    def picture(self, text: str) -> Path:
        path = self.folder / f"{text}.png"
        path.write_text(text)
        return path

    async def submit(self, preset: str = "drawn", **order: Any) -> Shown:  # noqa: ANN401 - of a PresetOrder
        inputs = {"prompt": ["a cat"], "seed": ["7"]} if preset in ("drawn", "two_engines") else {}
        return await submit_preset(self.settings, PresetOrder(preset, **{"inputs": inputs, "by": "ann", **order}))

    async def run(self, *steps: str) -> None:
        for step in steps:
            while task := await self.jobs.claim(step):
                await self.jobs.end(task, TaskSucceeded({}, [PICTURE]))

    async def fork(self, job: Shown, from_step: str, **changes: Any) -> Shown:  # noqa: ANN401 - of a ForkOrder
        order = ForkOrder(from_step, **{"by": "ben", **changes})
        return await fork_preset_job(self.settings, job["public_id"], order)

    async def details(self, job: Shown) -> Shown:
        return await show_details(self.settings, job["public_id"])

    async def fail(self, step: str, code: Any = "SERVICE_REJECTED") -> None:  # noqa: ANN401 - a Code
        await self.jobs.fail(await self.jobs.claimed(step), code)


@pytest.fixture
async def scene(fleet: Fleet, environ: dict[str, str], tmp_path: Path) -> AsyncIterator[PresetScene]:
    folders = {"PRESETS_DIR": str(tmp_path / "presets"), "ARTIFACTS_URL": str(tmp_path / "artifacts")}
    settings = Settings.from_env({**environ, **folders})
    async with database.pool(settings, "test") as pool:
        yield PresetScene(settings, JobScene(pool, settings, fleet.rows, STEPS), tmp_path)


async def test_a_fork_with_another_input_keeps_the_steps_before_and_works_out_the_others_anew(
    scene: PresetScene,
) -> None:
    job = await scene.submit(quality="pro")
    await scene.run("engine", "contact_sheet")
    fork = await scene.fork(job, "grade", inputs={"look": ["cool"]})
    assert fork["forked_from"] == job["public_id"]
    details = await scene.details(fork)
    assert [step["status"] for step in details["steps"]] == ["succeeded", "succeeded", "pending", "pending"]
    assert details["inputs"] == {"prompt": "a cat", "seed": 7, "look": "cool"}
    assert details["steps"][2]["parameters"]["each"] == [{"look": "cool"}]
    assert (await scene.details(job))["steps"][2]["parameters"]["each"] == [{"look": "warm"}]


async def test_a_step_that_another_quality_leaves_out_is_skipped_in_the_fork(scene: PresetScene) -> None:
    job = await scene.submit(quality="pro", inputs={"prompt": ["a"], "count": ["2"]})
    await scene.run("engine", "contact_sheet")
    details = await scene.details(await scene.fork(job, "grade", quality="low"))
    assert [step["status"] for step in details["steps"]] == ["succeeded", "succeeded", "skipped", "pending"]
    assert details["parameters"]["quality"] == "low"


@pytest.mark.parametrize(
    ("from_step", "changes", "said"),
    [
        ("grade", {"inputs": {"prompt": ["a dog"]}}, "the step draw before grade would change: prompt"),
        ("grade", {"inputs": {"seed": ["8"], "prompt": ["a dog"]}}, "draw before grade would change: prompt, seed"),
        ("sheet", {"quality": "low"}, "the step draw before sheet would change: how often it runs"),
        ("grain", {"inputs": {"look": ["cool"]}}, "the step grade before grain would change: look"),
        ("polish", {"inputs": {"look": ["cool"]}}, "the job has no step polish"),
        ("grade", {"inputs": {"colour": ["red"]}}, "colour"),
    ],
)  # fmt: skip
async def test_a_fork_is_refused_only_if_a_step_before_it_would_change_and_names_it(
    scene: PresetScene, from_step: str, changes: dict[str, Any], said: str
) -> None:
    job = await scene.submit(quality="pro")
    await scene.run("engine", "contact_sheet", "color_grade")
    with pytest.raises(WindmillError, match=said):
        await scene.fork(job, from_step, **changes)


async def test_another_file_takes_the_place_of_the_one_before_and_those_of_other_inputs_stay(
    scene: PresetScene,
) -> None:
    """A step that worked on the old file cannot stay."""
    files = {"face": [scene.picture("one"), scene.picture("two")]}
    job = await scene.submit(files=files, consent=True)
    await scene.run("engine")
    with pytest.raises(WindmillError, match="the step draw before sheet would change: face"):
        await scene.fork(job, "sheet", files={"face": [scene.picture("three")]}, consent=True)
    details = await scene.details(await scene.fork(job, "draw", files={"face": [scene.picture("three")]}, consent=True))
    given = [file["name"] for file in details["artifacts"] if file["step"] is None]
    assert given == ["face/1.png"]
    one = (await scene.details(job))["inputs"]["face"][0]
    named = await scene.details(await scene.fork(job, "draw", values={"face": [one]}, consent=True))
    assert [file["sha256"] for file in named["artifacts"] if file["step"] is None] == named["inputs"]["face"] == [one]
    assert details["inputs"]["face"] == [details["artifacts"][0]["sha256"]]


async def test_what_is_confirmed_is_a_row_with_who_and_when_and_holds_for_forks_with_the_same_files(
    scene: PresetScene,
) -> None:
    job = await scene.submit(files={"face": [scene.picture("one")]}, consent=True)
    (consent,) = (await scene.details(job))["consents"]
    assert (consent["text"], consent["reason"], consent["given_by"]) == ("I may", "face is given", "ann")
    same = await scene.details(await scene.fork(job, "draw", inputs={"prompt": ["a dog"]}))
    assert same["consents"] == [consent]
    other = {"face": [scene.picture("other")]}
    with pytest.raises(WindmillError, match="CONSENT_MISSING"):
        await scene.fork(job, "draw", files=other)
    confirmed = await scene.details(await scene.fork(job, "draw", files=other, consent=True))
    assert [one["given_by"] for one in confirmed["consents"]] == ["ben"]
    assert (await scene.details(await scene.submit(consent=True)))["consents"] == []


async def test_a_failed_job_is_repaired_at_another_quality_by_an_engine_that_did_not_fail(scene: PresetScene) -> None:
    face = {"face": [scene.picture("one")]}
    job = await scene.submit("two_engines", quality="pro", engines=["best", "second"], files=face, consent=True)
    await scene.run("engine")
    again = await scene.submit("two_engines", quality="pro", inputs={"prompt": ["a cat"]}, engines=["best"])
    await scene.fail("engine")
    asked = {"failed_job_id": [again["public_id"]]}
    with pytest.raises(WindmillError, match="failed with best, and no other engine is named"):
        await scene.submit("repair_pipeline_v1", inputs=asked)
    repaired = await scene.submit("repair_pipeline_v1", inputs=asked, engines=["second"])
    details = await scene.details(repaired)
    assert [(step["name"], step["status"]) for step in details["steps"]] == [
        ("rerun_job.draw", "pending"),
        ("rerun_job.sheet", "pending"),
        ("rerun_job.grade", "skipped"),
        ("rerun_job.grain", "pending"),
    ]
    assert details["steps"][0]["parameters"]["engines"] == ["second"]
    assert len(details["steps"][0]["parameters"]["each"]) == 1
    with pytest.raises(WindmillError, match=f"{job['public_id']} is queued|is running"):
        await scene.submit("repair_pipeline_v1", inputs={"failed_job_id": [job["public_id"]]})


async def test_a_repair_takes_files_and_consents_of_the_job_along_and_can_itself_be_repaired(
    scene: PresetScene,
) -> None:
    job = await scene.submit("two_engines", files={"face": [scene.picture("one")]}, consent=True, quality="pro")
    await scene.fail("engine")
    (task, *_) = await scene.jobs.rows.fetch("SELECT error_code FROM tasks WHERE status = 'failed'")
    assert task["error_code"] == "SERVICE_REJECTED"
    asked = {"failed_job_id": [job["public_id"]], "quality_override": ["pro"]}
    first = await scene.submit("repair_pipeline_v1", inputs=asked, engines=["third"])
    details = await scene.details(first)
    assert [file["name"] for file in details["artifacts"]] == ["rerun_job.face/1.png"]
    assert [one["given_by"] for one in details["consents"]] == ["ann"]
    assert details["steps"][0]["parameters"]["files"] == {"face": {"input": "rerun_job.face"}}
    await scene.fail("engine")
    second = await scene.submit(
        "repair_pipeline_v1", inputs={"failed_job_id": [first["public_id"]]}, engines=["fourth"]
    )
    repaired = await scene.details(second)
    assert [step["name"] for step in repaired["steps"]] == [step["name"] for step in details["steps"]]
    assert len(repaired["steps"][0]["parameters"]["each"]) == 1
    assert [file["name"] for file in repaired["artifacts"]] == ["rerun_job.face/1.png"]


async def test_a_failure_that_no_engine_is_to_blame_for_excludes_none(scene: PresetScene) -> None:
    job = await scene.submit("two_engines")
    await scene.fail("engine", "USAGE")
    repaired = await scene.submit("repair_pipeline_v1", inputs={"failed_job_id": [job["public_id"]]})
    assert (await scene.details(repaired))["steps"][0]["parameters"]["engines"] == ["best", "second"]


@pytest.mark.parametrize(
    ("name", "quality", "said"),
    [("nothing", "low", "is not the id of a job"), (None, "high", "has no quality 'high'; it has low, pro")],
)
async def test_a_repair_of_what_cannot_be_repaired_says_why(
    scene: PresetScene, name: str | None, quality: str, said: str
) -> None:
    job = await scene.submit("two_engines")
    await scene.fail("engine", "USAGE")
    asked = {"failed_job_id": [name or job["public_id"]], "quality_override": [quality]}
    with pytest.raises(WindmillError, match=said):
        await scene.submit("repair_pipeline_v1", inputs=asked)
