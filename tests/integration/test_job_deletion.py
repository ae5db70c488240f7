"""Jobs that have ended are deleted whole, whenever the one that deletes is killed, and files that others have stay."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.deleting import delete_job
from windmill.jobs.forking import Changes, fork_job
from windmill.jobs.outcomes import TaskSucceeded
from windmill.jobs.rerunning import rerun_job
from windmill.operate.jobs.job_filter import JobFilter
from windmill.operate.jobs.many_jobs import change_matching
from windmill.operate.jobs.retention import removing
from windmill.storage import database
from windmill.storage.jobs.rows import StoredArtifact

pytestmark = pytest.mark.database

TABLES = ("jobs", "steps", "tasks", "job_events", "artifacts")


class Store:
    """Notes which files it was told to delete; fails while it is `away`."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.away = False

    async def delete(self, keys: Sequence[str]) -> None:
        if self.away:
            raise WindmillError("ARTIFACT_STORE_UNAVAILABLE", "away")
        self.deleted += keys


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def jobs(fleet: Fleet, settings: Settings) -> AsyncIterator[JobScene]:
    async with database.pool(settings, "test", max_size=4) as pool:
        yield JobScene(pool, settings, fleet.rows)


async def finished(jobs: JobScene, *files: str, **given: object) -> int:
    """A job that has made these files."""
    job = await jobs.submit(cut=1, **given)
    made = [StoredArtifact(name, "image/png", 1, f"digest of {name}", f"key/{name}") for name in files]
    await jobs.end(await jobs.claimed("cut"), TaskSucceeded({}, made))
    await jobs.succeed(await jobs.claimed("join"))
    assert await jobs.status(job) == "succeeded"
    return job


async def rows_left(jobs: JobScene, job: int) -> dict[str, int]:
    counts = {
        table: await jobs.rows.fetchval(f"SELECT count(*) FROM {table} WHERE job_id = $1", job) for table in TABLES
    }
    return {table: count for table, count in counts.items() if count}


async def test_nothing_is_left_of_a_deleted_job(jobs: JobScene, store: Store) -> None:
    job, other = await finished(jobs, "a", "b"), await finished(jobs, "c")
    await delete_job(jobs.access, job, store.delete)
    assert (store.deleted, await rows_left(jobs, job)) == (["key/a", "key/b"], {})
    assert set(await rows_left(jobs, other)) == set(TABLES)


async def test_a_file_that_another_job_has_stays_until_that_one_goes(jobs: JobScene, store: Store) -> None:
    first, second = await finished(jobs, "a", "own"), await finished(jobs, "a")
    await delete_job(jobs.access, first, store.delete)
    assert store.deleted == ["key/own"]
    await delete_job(jobs.access, second, store.delete)
    assert store.deleted == ["key/own", "key/a"]


async def removed_after(jobs: JobScene, store: Store, age: timedelta) -> int:
    """How many jobs are removed that ended longer ago."""
    chosen = JobFilter(older_than=age)
    return (await change_matching(jobs.access, removing(store.delete), chosen, asyncio.Event())).done


async def test_a_deletion_that_failed_is_taken_up_again(jobs: JobScene, store: Store) -> None:
    job = await finished(jobs, "a")
    store.away = True
    with pytest.raises(WindmillError, match="ARTIFACT_STORE_UNAVAILABLE"):
        await delete_job(jobs.access, job, store.delete)
    assert await jobs.status(job) == "deleting"
    store.away = False
    assert await removed_after(jobs, store, timedelta(days=30)) == 1
    assert (store.deleted, await rows_left(jobs, job)) == (["key/a"], {})


async def test_a_job_that_is_being_deleted_is_neither_forked_nor_run_again(jobs: JobScene, store: Store) -> None:
    job = await finished(jobs, "a")
    store.away = True
    with pytest.raises(WindmillError):
        await delete_job(jobs.access, job, store.delete)
    with pytest.raises(WindmillError, match="CONFLICT"):
        await fork_job(jobs.access, job, "join", Changes())
    with pytest.raises(WindmillError, match="CONFLICT"):
        await rerun_job(jobs.access, job)


async def test_the_same_request_makes_a_new_job_once_the_old_one_is_being_deleted(jobs: JobScene, store: Store) -> None:
    job = await finished(jobs, "a", idempotency_key="k", dedupe_key="d")
    store.away = True
    with pytest.raises(WindmillError):
        await delete_job(jobs.access, job, store.delete)
    assert await jobs.submit(idempotency_key="k", dedupe_key="d") != job


async def test_a_job_that_has_not_ended_is_not_deleted(jobs: JobScene, store: Store) -> None:
    job = await jobs.submit(cut=2)
    with pytest.raises(WindmillError, match="CONFLICT"):
        await removing(store.delete).ask(jobs.access, job)
    assert await jobs.status(job) == "queued"


async def test_jobs_go_once_they_ended_long_enough_ago(jobs: JobScene, store: Store) -> None:
    old, young, open_job = await finished(jobs, "a"), await finished(jobs, "b"), await jobs.submit()
    await jobs.rows.execute("UPDATE jobs SET ended_at = now() - interval '31 days' WHERE job_id = $1", old)
    assert await removed_after(jobs, store, timedelta(days=30)) == 1
    assert store.deleted == ["key/a"]
    assert await rows_left(jobs, old) == {}
    assert [await jobs.status(job) for job in (young, open_job)] == ["succeeded", "queued"]
