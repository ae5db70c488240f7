"""`windmill jobs`: what people see of jobs and ask of them."""

import uuid
from collections.abc import AsyncIterator

import pytest

from tests.integration.fleet import Finished, Fleet
from tests.job_scene import JobScene
from windmill import VERSION
from windmill.core.settings import Settings
from windmill.jobs.submitting import NewStep
from windmill.storage import database

pytestmark = pytest.mark.database


class CommandScene:
    """The command, and the jobs of its database."""

    def __init__(self, fleet: Fleet, jobs: JobScene) -> None:
        self._fleet = fleet
        self.jobs = jobs

    async def run(self, action: str, job: int | uuid.UUID | None = None, *options: str) -> Finished:
        named = [] if job is None else [str(job if isinstance(job, uuid.UUID) else await self.jobs.public_id(job))]
        return await self._fleet.run("windmill", "jobs", action, *named, *options)


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[CommandScene]:
    async with database.pool(settings, "test") as pool:
        yield CommandScene(fleet, JobScene(pool, settings, fleet.rows))


async def test_jobs_are_listed_by_their_state_and_shown_with_their_steps_and_logs(scene: CommandScene) -> None:
    failed, waiting = await scene.jobs.submit(), await scene.jobs.submit(priority=-1)
    await scene.jobs.fail(await scene.jobs.claimed())
    listed = (await scene.run("list", None, "--json")).json()
    assert [(job["status"], job["priority"]) for job in listed] == [("queued", -1), ("failed", 0)]
    only = (await scene.run("list", None, "--status", "failed")).out
    assert str(await scene.jobs.public_id(failed)) in only
    assert str(await scene.jobs.public_id(waiting)) not in only
    shown = await scene.run("show", failed)
    assert "error_code: USAGE" in shown.out
    assert "cut" in shown.out
    logged = (await scene.run("logs", failed, "--json")).json()
    assert [event["seq"] for event in logged] == [*range(1, len(logged) + 1)]
    assert "task_failed" in (await scene.run("logs", failed)).out


async def test_a_job_is_paused_resumed_hurried_cancelled_and_run_again(scene: CommandScene) -> None:
    job = await scene.jobs.submit()
    paused = (await scene.run("pause", job, "--reason", "the disk is full", "--for", "12h", "--json")).json()
    assert (paused["status"], paused["pause_reason"]) == ("paused", "the disk is full")
    for action, options, status in (
        ("resume", (), "queued"), ("priority", ("5",), "queued"), ("cancel", (), "cancelled"), ("retry", (), "queued"),
    ):  # fmt: skip
        assert (await scene.run(action, job, *options, "--json")).json()["status"] == status
    assert (await scene.jobs.job(job))["priority"] == 5


async def test_a_fork_is_a_job_of_its_own_that_a_worker_plans(scene: CommandScene) -> None:
    job = await scene.jobs.submit()
    await scene.jobs.run_step("cut")
    fork = (await scene.run("fork", job, "--from-step", "join", "--inputs", '{"join": 3}', "--json")).json()
    assert fork["forked_from"] == str(await scene.jobs.public_id(job))
    assert [step["status"] for step in fork["steps"]] == ["succeeded", "pending"]
    assert [step["planned"] for step in fork["steps"]] == [1, 0]


async def test_a_job_that_has_ended_is_removed_and_no_other(scene: CommandScene) -> None:
    job = await scene.jobs.submit()
    public_id = await scene.jobs.public_id(job)
    refused = await scene.run("rm", public_id)
    assert (refused.code, "CONFLICT: the job is queued" in refused.out) == (2, True)
    await scene.run("cancel", public_id)
    removed = (await scene.run("rm", public_id, "--json")).json()
    assert (removed["done"], removed["files"]) == (1, 0)
    assert "NOT_FOUND" in (await scene.run("show", public_id)).err


async def test_steps_are_shown_and_named_as_their_job_calls_them_and_with_why_they_are_skipped(
    scene: CommandScene,
) -> None:
    steps = (
        NewStep("cut", 1, parameters={"name": "slice"}),
        NewStep("join", 1, parameters={"name": "glue"}, skip_reason="the quality is low"),
    )
    job = await scene.jobs.submit(steps=steps, preset="some")
    await scene.jobs.run_step("cut")
    assert [(one["name"], one["step"]) for one in (await scene.run("show", job, "--json")).json()["steps"]] == [
        ("slice", "cut"),
        ("glue", "join"),
    ]
    assert "skipped: the quality is low" in (await scene.run("show", job)).out
    again = await scene.run("retry", job, "--from-step", "slice", "--json")
    assert again.json()["status"] == "queued"
    fork = await scene.run("fork", job, "--from-step", "slice", "--input", "look=cool")
    assert (fork.code, "there is no preset 'some'" in fork.err) == (2, True)


async def test_watching_follows_a_job_to_its_end_and_ends_with_its_exit_code(scene: CommandScene) -> None:
    job = await scene.jobs.submit()
    await scene.jobs.fail(await scene.jobs.claimed())
    watched = await scene.run("watch", job)
    assert watched.code == 2
    assert "task_failed" in watched.out
    assert "error_code: USAGE" in watched.out


async def test_what_cannot_be_done_says_why(scene: CommandScene) -> None:
    job = await scene.jobs.submit()
    refused = await scene.run("retry", job)
    assert (refused.code, "the job is queued; only one that has ended can run again" in refused.err) == (2, True)
    for action in ("show", "logs", "cancel"):
        unknown = await scene.run(action, uuid.uuid4())
        assert (unknown.code, "NOT_FOUND" in unknown.err) == (2, True)


async def test_all_that_is_known_of_a_job_is_one_document_without_secrets_and_with_its_prompts(
    scene: CommandScene,
) -> None:
    prompt = "a secret garden, password: swordfish"
    steps = (NewStep("cut", 1, parameters={"name": "draw", "each": [{"prompt": prompt, "checkpoint": "sd.ckpt"}]}),)
    job = await scene.jobs.submit(
        cut=3,
        steps=steps,
        inputs={"prompt": prompt, "api_key": "abc"},
        failure_budget=2,
        preset="film",
        preset_version=4,
    )
    await scene.jobs.succeed(await scene.jobs.claimed(), engine="best", facts={"seed": 7})
    await scene.jobs.fail(await scene.jobs.claimed(), message="refused: https://ann:pw@host/")
    document = (await scene.run("show", job, "--json")).json()
    assert (document["inputs"]["prompt"], document["inputs"]["api_key"]) == (prompt, "***")
    (step,) = document["steps"]
    assert (step["name"], step["models"], step["parameters"]["each"][0]["prompt"]) == ("draw", ["sd.ckpt"], prompt)
    assert step["engines"] == [{"engine": "best", "shards": 1, "facts": {"seed": 7}}]
    (failed,) = document["failed_shards"]
    assert (failed["step"], failed["error_code"], failed["message"]) == ("draw", "USAGE", "refused: https://***@host/")
    assert [event["kind"] for event in document["events"]][-1] == "task_failed"
    assert document["versions"] == {"windmill": VERSION, "preset": 4, "steps": {"cut": 1}}
    text = (await scene.run("show", job)).out
    for said in (prompt, "draw: best with sd.ckpt, 1 shard(s)", "draw 1: USAGE: refused", "last events"):
        assert said in text


async def test_a_fork_is_compared_with_its_original(scene: CommandScene) -> None:
    job = await scene.jobs.submit()
    await scene.jobs.run_step("cut")
    fork = (await scene.run("fork", job, "--from-step", "join", "--inputs", '{"join": 3}', "--json")).json()
    found = (await scene.run("compare", job, fork["public_id"], "--json")).json()
    assert found["inputs"] == {"cut": [1, None], "join": [1, 3]}
    assert found["differs"]["forked_from"] == [None, str(await scene.jobs.public_id(job))]
    assert "inputs.join" in (await scene.run("compare", job, fork["public_id"])).out
