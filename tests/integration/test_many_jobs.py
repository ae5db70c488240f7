"""One command on many jobs: counted first, done page by page, and again after an interruption."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.integration.fleet import Fleet
from tests.integration.test_jobs_command import CommandScene
from tests.job_scene import JobScene
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.access import Change, JobAccess
from windmill.operate.jobs.job_actions import cancelling, giving_priority, pausing, resuming, retrying
from windmill.operate.jobs.job_filter import PAGE, JobFilter
from windmill.operate.jobs.many_jobs import change_matching, preview_many
from windmill.operate.progress import ProgressUpdate
from windmill.storage import database

pytestmark = pytest.mark.database

PLENTY = PAGE + 34
INSERT = """
INSERT INTO jobs (kind, preset, principal, status, error_code, inputs, parameters, ended_at, created_at)
SELECT $2, $3, $4, $5, $6, '{}', '{}', now() - $7::interval, now() - $7::interval FROM generate_series(1, $1)
"""


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[CommandScene]:
    async with database.pool(settings, "test") as pool:
        yield CommandScene(fleet, JobScene(pool, settings, fleet.rows))


async def ended(scene: CommandScene, number: int, **given: str | None) -> None:
    """Jobs that failed two days ago, unless it is said otherwise."""
    columns = {"kind": "made", "preset": None, "principal": "ann", "status": "failed", "error_code": "USAGE"} | given
    names = ("kind", "preset", "principal", "status", "error_code")
    await scene.jobs.rows.execute(INSERT, number, *(columns[name] for name in names), timedelta(days=2))


async def statuses(scene: CommandScene) -> dict[str, int]:
    rows = await scene.jobs.rows.fetch("SELECT status, count(*) FROM jobs GROUP BY 1")
    return {row["status"]: row["count"] for row in rows}


async def test_a_list_is_of_what_matches_all_filters_page_by_page(scene: CommandScene) -> None:
    await ended(scene, 3, error_code="OUT_OF_MEMORY", preset="film")
    await ended(scene, 2, principal="bob", kind="other")
    await scene.jobs.submit()

    async def number(*options: str) -> int:
        return len((await scene.run("list", None, "--json", *options)).json())

    assert await number() == 6
    assert await number("--error-code", "OUT_OF_MEMORY", "--error-code", "USAGE", "--principal", "ann") == 3
    assert await number("--kind", "other", "--status", "failed") == 2
    assert await number("--preset", "film", "--principal", "bob") == 0
    assert await number("--older-than", "1d") == 5
    seen: list[str] = []
    for number_left in (4, 2, 0):
        before = ("--before", seen[-1]) if seen else ()
        page = (await scene.run("list", None, "--json", "--limit", "4", *before)).json()
        assert len(page) == number_left
        seen += [job["public_id"] for job in page]
    assert len(set(seen)) == len(seen) == 6
    assert f"--before {seen[1]}" in (await scene.run("list", None, "--limit", "2")).out


async def test_all_that_match_are_counted_first_and_changed_only_when_that_is_confirmed(scene: CommandScene) -> None:
    for _ in range(3):
        await scene.jobs.submit()
    await ended(scene, 2)
    assert (await scene.run("cancel", None, "--all")).out == "would cancel 3 jobs; add --yes to do it\n"
    wrong = await scene.run("cancel", None, "--all", "--expect", "5", "--yes")
    assert (wrong.code, "3 jobs match, and 5 are expected; nothing was done" in wrong.err) == (2, True)
    assert await statuses(scene) == {"queued": 3, "failed": 2}
    done = (await scene.run("cancel", None, "--all", "--expect", "3", "--yes", "--json")).json()
    assert (done["action"], done["matched"], done["done"], done["refused"]) == ("cancel", 3, 3, 0)
    again = (await scene.run("cancel", None, "--all", "--yes", "--json")).json()
    assert (again["matched"], again["done"]) == (0, 0)
    removed = (await scene.run("rm", None, "--all", "--older-than", "1d", "--yes", "--json")).json()
    assert (removed["done"], removed["files"]) == (2, 0)
    assert await statuses(scene) == {"cancelled": 3}


async def test_several_are_named_and_one_that_is_refused_keeps_no_other_back(scene: CommandScene) -> None:
    first, second = await scene.jobs.submit(), await scene.jobs.submit()
    names = [str(await scene.jobs.public_id(job)) for job in (first, second, first)]
    await scene.run("cancel", second)
    paused = await scene.run("pause", None, *names, "--json")
    assert paused.code == 2
    report = paused.json()
    assert (report["matched"], report["done"]) == (2, 1)
    assert [(one["job"], one["error_code"]) for one in report["told"]] == [(names[1], "CONFLICT")]
    assert await statuses(scene) == {"paused": 1, "cancelled": 1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name the jobs, or all that match by --all"),
        (("01234567-89ab-cdef-0123-456789abcdef", "--kind", "made"), "filters and --expect go with --all"),
        (("--all", "--status", "failed"), "that is not possible for a job that is failed"),
    ],
)
async def test_a_choice_that_cannot_be_meant_is_refused(
    scene: CommandScene, options: tuple[str, ...], said: str
) -> None:
    refused = await scene.run("cancel", None, *options)
    assert (refused.code, said in refused.err) == (2, True)


async def test_an_interrupted_one_goes_on_with_those_that_are_left(scene: CommandScene) -> None:
    await ended(scene, PLENTY, status="failed")
    await scene.jobs.rows.execute("UPDATE jobs SET status = 'queued', ended_at = NULL")
    stop, chosen = asyncio.Event(), JobFilter(kinds=["made"])

    def stop_after_40(update: ProgressUpdate) -> None:
        if update.done >= 40:
            stop.set()

    first = await change_matching(scene.jobs.access, cancelling("ann"), chosen, stop, on_progress=stop_after_40)
    assert (first.matched, first.done, first.interrupted) == (PLENTY, 40, True)
    second = await change_matching(scene.jobs.access, cancelling("ann"), chosen, asyncio.Event())
    assert (second.matched, second.done, second.interrupted) == (PLENTY - 40, PLENTY - 40, False)
    assert await statuses(scene) == {"cancelled": PLENTY}


async def test_each_action_is_asked_only_of_jobs_of_which_it_can_be(scene: CommandScene) -> None:
    jobs, stop = scene.jobs, asyncio.Event()
    await jobs.submit()
    paused = await jobs.submit()
    await jobs.fail(await jobs.claimed())
    await change_matching(jobs.access, pausing("ann"), JobFilter(), stop)
    assert await statuses(scene) == {"failed": 1, "paused": 1}
    await ended(scene, 1, status="succeeded", error_code=None)
    assert (await preview_many(jobs.access, retrying(), JobFilter())).matched == 1
    assert (await change_matching(jobs.access, retrying(), JobFilter(), stop)).done == 1
    assert (await change_matching(jobs.access, giving_priority(4), JobFilter(), stop)).done == 2
    assert (await jobs.job(paused))["priority"] == 4
    assert (await change_matching(jobs.access, resuming("ann"), JobFilter(), stop)).done == 1
    assert await statuses(scene) == {"queued": 2, "succeeded": 1}


async def test_what_changes_between_the_count_and_its_turn_is_passed_over(scene: CommandScene) -> None:
    kept, gone = await scene.jobs.submit(), await scene.jobs.submit()

    action = cancelling("ann")

    async def ask(access: JobAccess, job_id: int) -> Change:
        if job_id == gone:
            raise WindmillError("NOT_FOUND", "the job is gone")
        return await action.ask(access, job_id)

    report = await change_matching(scene.jobs.access, replace(action, ask=ask), JobFilter(), asyncio.Event())
    assert (report.done, report.refused) == (1, 1)
    assert await scene.jobs.status(kept) == "cancelled"
