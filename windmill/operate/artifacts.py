"""Files of jobs as people see them: listed, fetched, verified and swept."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from windmill.core.settings import Settings
from windmill.jobs.submitting import no_job
from windmill.kernels.text.tables import render_table
from windmill.operate.jobs import remote
from windmill.operate.jobs.reading import shown
from windmill.operate.jobs.shown import Shown
from windmill.operate.jobs.target_names import select_files, target_names
from windmill.operate.over_http import over_http
from windmill.storage import database
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.artifacts.store import blob_key
from windmill.storage.artifacts.sweep import FaultyArtifact, SweepReport, sweep, verify
from windmill.storage.artifacts.table import ArtifactTable
from windmill.storage.queries import queries

TITLE = "windmill artifacts"


@over_http(remote.list_artifacts)
async def list_artifacts(settings: Settings, public_id: uuid.UUID) -> list[Shown]:
    """The files of a job; those that it was submitted with have no step."""
    async with database.connection(settings, TITLE) as rows:
        job_id = await rows.fetchval(queries()["find_job"], public_id, None)
        if job_id is None:
            raise no_job(public_id)
        return [shown(row) for row in await rows.fetch(queries()["list_artifacts"], job_id)]


@over_http(remote.fetch_artifacts)
async def fetch_artifacts(settings: Settings, public_id: uuid.UUID, step: str | None, folder: Path) -> list[Path]:
    """Copy what a step of a job has made, or the last step that has made anything; where the files are now."""
    files = select_files(await list_artifacts(settings, public_id), step)
    store = open_artifact_store(settings)
    targets = [folder / name for name in target_names(files)]
    for file, target in zip(files, targets, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        await store.fetch(blob_key(file["sha256"]), target)
    return targets


async def verify_artifacts(settings: Settings, *, content: bool) -> list[FaultyArtifact]:
    """The files that are not as their rows say."""
    async with database.connection(settings, TITLE) as rows:
        store = open_artifact_store(settings)
        return [fault async for fault in verify(store, ArtifactTable(rows), content=content)]


async def sweep_artifacts(settings: Settings, age: timedelta, *, delete: bool) -> SweepReport:
    """Delete, or only count, the files that belong to no job and are older than this."""
    async with database.connection(settings, TITLE) as rows:
        before = datetime.now(UTC) - age
        return await sweep(open_artifact_store(settings), ArtifactTable(rows), before, delete=delete)


def render_artifacts(files: Sequence[Shown]) -> str:
    if not files:
        return "no files\n"
    rows = [(file["step"] or "(given)", file["shard"], file["name"], file["bytes"], file["sha256"]) for file in files]
    return render_table(("step", "shard", "file", "bytes", "id"), rows)


def render_faults(faults: Sequence[FaultyArtifact]) -> str:
    return "".join(f"{one.fault}: {one.key}\n" for one in faults) or "every file is as its row says\n"


def render_faults_json(faults: Sequence[FaultyArtifact]) -> list[dict[str, Any]]:
    return [asdict(one) for one in faults]


def render_sweep(report: SweepReport, *, deleted: bool) -> str:
    done = "deleted" if deleted else "would be deleted"
    return (
        f"{report.stored:,} files in the store\n"
        f"{report.deleted:,} belong to no job and {done} ({report.deleted_bytes:,} bytes)\n"
        f"{report.young:,} belong to no job and are young\n"
        f"{report.missing:,} are missing\n"
        f"{report.half_written:,} were left half written and {done}\n"
    )
