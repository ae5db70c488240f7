"""Which jobs somebody means: all that match every filter that is given."""

import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from windmill.core.errors import WindmillError
from windmill.jobs.access import JobAccess
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

PAGE = 500
"""Jobs that are looked up at a time."""


@dataclass(frozen=True)
class JobFilter:
    """None is any. `older_than` is the time since a job has ended, or since its submission if it has not."""

    statuses: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    presets: Sequence[str] | None = None
    principals: Sequence[str] | None = None
    error_codes: Sequence[str] | None = None
    older_than: timedelta | None = None

    @property
    def arguments(self) -> tuple[object, ...]:
        """What `matching_jobs` takes."""
        lists = (self.statuses, self.kinds, self.presets, self.principals, self.error_codes)
        seconds = self.older_than.total_seconds() if self.older_than is not None else None
        return (*(None if one is None else list(one) for one in lists), seconds)

    def narrowed(self, possible: Collection[str]) -> "JobFilter":
        """Only jobs in one of these states; raises USAGE if the filter leaves none of them."""
        statuses = [one for one in sorted(possible) if self.statuses is None or one in self.statuses]
        if not statuses:
            said = f"that is not possible for a job that is {' or '.join(self.statuses or ())}"
            raise WindmillError("USAGE", said, f"it is for jobs that are {', '.join(sorted(possible))}")
        return replace(self, statuses=statuses)


class JobsCounted(NamedTuple):
    """How many jobs match, and the id of the newest of them."""

    jobs: int
    last: int


class FoundJob(NamedTuple):
    """A job by its key, and by the id that users know."""

    job_id: int
    public_id: uuid.UUID


async def count_jobs(access: JobAccess, chosen: JobFilter) -> JobsCounted:
    """How many there are now."""
    async with transaction(access.pool, access.settings) as connection:
        row = await connection.fetchrow(queries()["count_jobs"], *chosen.arguments)
    assert row
    return JobsCounted(row["jobs"], row["last"] or 0)


async def pages_of_jobs(access: JobAccess, chosen: JobFilter, last: int) -> AsyncIterator[Sequence[FoundJob]]:
    """Those up to `last`, the oldest first; each page is looked up when it is wanted."""
    after = 0
    while True:
        async with transaction(access.pool, access.settings) as connection:
            rows = await connection.fetch(queries()["next_jobs"], *chosen.arguments, after, last, PAGE)
        if not rows:
            return
        yield [FoundJob(**row) for row in rows]
        after = rows[-1]["job_id"]
