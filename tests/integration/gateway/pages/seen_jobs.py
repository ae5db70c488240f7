"""Jobs in every state that people look at: one that has made files, and one that failed, was paused, runs, or waits."""

from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.job_scene import STREAM, JobScene
from windmill.core.errors import WindmillError
from windmill.jobs.outcomes import TaskRaised
from windmill.jobs.requests import pause_job
from windmill.storage.artifacts.store import ArtifactStore

PRESET = "cinematic_portrait_v1"


@dataclass(frozen=True)
class SeenJobs:
    """Their public ids."""

    done: str
    failed: str
    paused: str
    running: str


async def fill_jobs(jobs: JobScene, rows: asyncpg.Connection, store: ArtifactStore, picture: Path) -> SeenJobs:
    done = await jobs.submit(cut=3, steps=STREAM, preset=PRESET, preset_version=1, parameters={"quality": "standard"})
    await _run_with_a_failed_try(jobs)
    await _make_file(rows, store, done, picture)
    failed = await jobs.submit(cut=2, preset=PRESET, preset_version=1)
    await jobs.fail(await jobs.claimed("cut"), "VIDEO_UNREADABLE", "/srv/secret/clip.mp4 is no video")
    await jobs.run_step("cut")
    paused = await jobs.submit()
    await pause_job(jobs.access, paused, "ada", "the film is not cut yet", None)
    running = await jobs.submit(cut=4)
    await jobs.claimed("cut")
    ids = [str(await rows.fetchval("SELECT public_id FROM jobs WHERE job_id = $1", one))
           for one in (done, failed, paused, running)]  # fmt: skip
    return SeenJobs(*ids)


async def _run_with_a_failed_try(jobs: JobScene) -> None:
    await jobs.succeed(await jobs.claimed("cut"), shard=0)
    await jobs.end(await jobs.claimed("draw"), TaskRaised(WindmillError("SERVICE_ERROR", "500", retry="later")))
    await jobs.rows.execute("UPDATE tasks SET not_before = NULL WHERE status = 'queued'")
    for step in ("cut", "draw", "join"):
        await jobs.run_step(step)


async def _make_file(rows: asyncpg.Connection, store: ArtifactStore, job_id: int, picture: Path) -> None:
    blob = await store.put(picture, "image/png")
    await rows.execute(
        "INSERT INTO artifacts (job_id, position, shard, name, media_type, bytes, sha256, key)"
        " VALUES ($1, 2, 0, 'portrait.png', 'image/png', $2, $3, $4)",
        *(job_id, blob.size, blob.sha256, blob.key),
    )
