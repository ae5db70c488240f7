"""Files of jobs for programs that serve many people; see windmill.operate.jobs.serving for `principal`."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import find_job
from windmill.operate.jobs.reading import shown
from windmill.operate.jobs.shown import Shown
from windmill.storage.artifacts.store import blob_key
from windmill.storage.artifacts.table import ArtifactRow
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

Place = tuple[int, int, str]
"""Where a file stands among those of its job: position, shard and name."""
FIRST: Place = (-(2**15), -(2**31), "")


@dataclass(frozen=True)
class ArtifactPage:
    """Some files, and where the page after this one begins, if there may be one."""

    files: Sequence[Shown]
    last: Place | None


async def page_of_artifacts(
    access: JobAccess, public_id: uuid.UUID, after: Place | None, limit: int, principal: str | None
) -> ArtifactPage:
    """The files of a job in the order of its steps; those that it was submitted with have no step."""
    job_id = await find_job(access, public_id, principal)
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetch(queries()["page_of_artifacts"], job_id, *(after or FIRST), limit)
    last = found[-1] if len(found) == limit else None
    files = [{name: value for name, value in shown(row).items() if name != "position"} for row in found]
    return ArtifactPage(files, (last["position"], last["shard"], last["name"]) if last else None)


async def find_visible_artifact(access: JobAccess, sha256: str, principal: str | None) -> ArtifactRow:
    """A file by its digest; raises NOT_FOUND unless a job that the principal sees has it."""
    async with transaction(access.pool, access.settings) as rows:
        row = await rows.fetchrow(queries()["find_visible_artifact"], blob_key(sha256), principal)
    if row is None:
        raise WindmillError("NOT_FOUND", f"no job has a file {sha256:.64}")
    return ArtifactRow(**row)
