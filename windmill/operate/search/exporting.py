"""Exports: what a query finds, as the files of a job."""

import asyncio
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import NewJob, submit_job
from windmill.operate.artifacts import fetch_artifacts
from windmill.operate.jobs.preset_requests import PresetAsk, job_of_preset
from windmill.operate.jobs.reading import show_job
from windmill.operate.jobs.shown import Shown
from windmill.operate.jobs.watching import watch_job
from windmill.operate.over_http import over_http
from windmill.operate.search import remote
from windmill.operate.search.joining import join_parts
from windmill.operate.search.searching import understood
from windmill.pipelines.export.form import SHARD_IMAGES, ExportFormat
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.pipelines.presets.preset_library import PresetLibrary, load_presets
from windmill.storage import database
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

PRESET = "export_v1"
MOST_SHARDS = 10_000
Tell = Callable[[Sequence[Shown]], None]


@dataclass(frozen=True)
class ExportRequest:
    """What is exported, and how."""

    query: str
    form: ExportFormat
    since: datetime | None = None
    shard_images: int | None = None
    min_confidence: float | None = None

    def inputs(self, last_image_id: int) -> dict[str, object]:
        """As the preset takes them; what is not given has its default."""
        given = {
            "query": self.query,
            "format": self.form,
            "last_image_id": last_image_id,
            "since": self.since.isoformat() if self.since else None,
            "shard_images": self.shard_images,
            "min_confidence": self.min_confidence,
        }
        return {name: value for name, value in given.items() if value is not None}


async def export_job(
    access: JobAccess, library: PresetLibrary, request: ExportRequest, principal: str | None, by: str
) -> NewJob:
    """The job, over all images that there are now; raises USAGE for a query that cannot be read."""
    understood(request.query)
    async with transaction(access.pool, access.settings) as rows:
        last = int(await rows.fetchval(queries()["greatest_indexed_image_id"]))
    most = MOST_SHARDS * (request.shard_images or SHARD_IMAGES)
    if last > most:
        said = f"image ids go up to {last:,}, which would be more than {MOST_SHARDS:,} files"
        raise WindmillError("USAGE", said, f"take {last // MOST_SHARDS + 1:,} ids or more for each file")
    preset = library.get(PRESET).preset
    return await job_of_preset(access, library, preset, PresetAsk(request.inputs(last)), principal, by)


@over_http(remote.begin_export)
async def begin_export(settings: Settings, request: ExportRequest, by: str) -> Shown:
    """Submit it."""
    async with database.pool(settings, "windmill export", max_size=1) as pool:
        access = JobAccess(pool, settings, STEPS)
        job = await export_job(access, load_presets(settings.presets_dir), request, None, by)
        submitted = await submit_job(access, replace(job, principal=""))
        return await show_job(settings, submitted.change.public_id)


async def finish_export(
    settings: Settings, job_id: uuid.UUID, form: ExportFormat, target: Path, stop: asyncio.Event, tell: Tell
) -> tuple[Shown, list[Path]]:
    """Wait for the end of the job, and fetch its files: into a folder, or joined into one file."""
    job = await watch_job(settings, job_id, stop, tell)
    if job["status"] != "succeeded":
        return job, []
    if await asyncio.to_thread(_is_folder, target):
        return job, await fetch_artifacts(settings, job_id, None, target)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".windmill-") as folder:
        parts = await fetch_artifacts(settings, job_id, None, Path(folder))
        await asyncio.to_thread(join_parts, form, sorted(parts), target)
    return job, [target]


def _is_folder(target: Path) -> bool:
    """A name without a suffix is one, too."""
    return target.is_dir() or not target.suffix
