"""Jobs in every state that people look at: one that has made files, and one that failed, was paused, runs, or waits."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


TRACKS: dict[str, Any] = {
    "width": 960,
    "height": 640,
    "seconds": 10,
    "tracks": [
        {"track": 1, "label": "person", "score": 0.9, "begins": 0, "ends": 10, "color": "#d62728", "times": [0, 10],
         "boxes": [[310, 160, 130, 390], [400, 160, 130, 390]]},
        {"track": 2, "label": "dog", "score": 0.8, "begins": 0, "ends": 4, "color": "#1f77b4", "times": [0, 4],
         "boxes": [[170, 400, 150, 140], [260, 400, 150, 140]]},
    ],
}  # fmt: skip
TIMELINE: dict[str, Any] = {"seconds": 10, "labels": {"person": [[0, 10]], "dog": [[0, 4], [7, 8]]}}
STATS = {"detection_stats": {"person": 20, "dog": 9}, "track_stats": {"person": 1, "dog": 1}, "failed_frames": 1}


async def fill_video(jobs: JobScene, rows: asyncpg.Connection, store: ArtifactStore, clip: Path) -> str:
    """A job that annotates this clip, of which a part of the segments is done; its public id."""
    job_id = await jobs.submit(cut=4, preset="annotate_video_v1", preset_version=1)
    await jobs.succeed(await jobs.claimed("cut"))
    await _keep(rows, store, job_id, -1, clip, "video/mp4")
    for name, document in (("tracks.json", TRACKS), ("timeline.json", TIMELINE), ("stats.json", STATS)):
        path = clip.parent / name
        path.write_text(json.dumps(document))
        await _keep(rows, store, job_id, 1, path, "application/json")
    return str(await rows.fetchval("SELECT public_id FROM jobs WHERE job_id = $1", job_id))


async def _make_file(rows: asyncpg.Connection, store: ArtifactStore, job_id: int, picture: Path) -> None:
    await _keep(rows, store, job_id, 2, picture, "image/png")


async def _keep(
    rows: asyncpg.Connection, store: ArtifactStore, job_id: int, position: int, file: Path, media_type: str
) -> None:
    blob = await store.put(file, media_type)
    await rows.execute(
        "INSERT INTO artifacts (job_id, position, shard, name, media_type, bytes, sha256, key)"
        " VALUES ($1, $2, 0, $3, $4, $5, $6, $7)",
        *(job_id, position, file.name, media_type, blob.size, blob.sha256, blob.key),
    )
