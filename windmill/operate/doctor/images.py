"""Images: their folder, and whether a worker could read a sample of them."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.setting_parts import DatabaseSettings, ImageSettings
from windmill.core.settings import Settings
from windmill.media.image.source import ImageSource
from windmill.operate.doctor.findings import DoctorFinding, collect, ok, problem, skipped, warning
from windmill.operate.doctor.threads import in_thread
from windmill.storage import database
from windmill.storage.queries import queries

SAMPLE = 20


async def examine(settings: Settings, seconds: float) -> list[DoctorFinding]:
    """The sample is skipped if the folder hangs, because it would hang again."""
    folder = await collect("images", "IMAGE_ROOT", seconds, _folder(settings))
    if any(finding.state == "problem" for finding in folder):
        return [*folder, skipped("images", "sample", "IMAGE_ROOT cannot be read")]
    try:
        jobs = await asyncio.wait_for(_sample(settings), seconds)
    except (WindmillError, TimeoutError) as error:
        return [*folder, skipped("images", "sample", str(error) or "the database does not answer")]
    return [*folder, *await collect("images", "sample", seconds + SAMPLE, _readable(settings, jobs))]


async def _folder(settings: ImageSettings) -> list[DoctorFinding]:
    return [await in_thread(partial(root, settings.image_root))]


def root(folder: Path) -> DoctorFinding:
    """Whether IMAGE_ROOT exists, can be read and is not empty."""
    remedy = "mount the share, or correct IMAGE_ROOT"
    if not folder.is_dir():
        return problem("images", "IMAGE_ROOT", f"{folder} is no folder", remedy)
    if not os.access(folder, os.X_OK):
        return problem(
            "images", "IMAGE_ROOT", f"this user may not enter {folder}", "let workers in: chmod, or its group"
        )
    if not os.access(folder, os.R_OK):
        return ok("images", "IMAGE_ROOT", f"{folder}, of which this user reads only files that are known by name")
    if not any(folder.iterdir()):
        return problem("images", "IMAGE_ROOT", f"{folder} is empty: is the share mounted?", remedy)
    if folder == Path("/"):
        said = "/, so every file may be registered; and a share that is not mounted makes its images look deleted"
        return ok("images", "IMAGE_ROOT", said)
    return ok("images", "IMAGE_ROOT", str(folder))


async def _sample(settings: DatabaseSettings) -> list[Job]:
    async with database.connection(settings, "windmill doctor, images") as connection:
        rows = await connection.fetch(queries()["sample_of_images"], SAMPLE)
    now = datetime.now(UTC)
    return [Job(**dict(row), submitted_at=now) for row in rows]


async def _readable(settings: ImageSettings, jobs: Sequence[Job]) -> list[DoctorFinding]:
    failures = []
    async with ImageSource(settings) as source:
        for job in jobs:
            try:
                await source.read(job)
            except WindmillError as error:
                failures.append((job, error))
    return [sample(len(jobs), failures)]


def sample(looked: int, failures: Sequence[tuple[Job, WindmillError]]) -> DoctorFinding:
    """A problem when no image can be read, a warning when some cannot: these may have been deleted since."""
    if not looked:
        return ok("images", "sample", "no image is registered yet")
    if not failures:
        return ok("images", "sample", f"all {looked} that were looked at can be read")
    codes = ", ".join(f"{code} {count}" for code, count in Counter(error.code for _, error in failures).items())
    job, error = failures[0]
    said = f"{len(failures)} of {looked} cannot be read ({codes}); image {job.image_id}: {error.message}"
    return (problem if len(failures) == looked else warning)("images", "sample", said, error.remedy)
