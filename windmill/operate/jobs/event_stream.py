"""The events of all jobs, and the ends of runs and batches, as one stream that loses nothing: each event has a place in
it, and whatever comes later has a later place, also if its transaction began earlier. Events of one job may stand in it
in another order than they have in the job's own log, which counts them."""

import re
import uuid
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import single_statement

_PLACE = re.compile(r"(\d{1,18})-(\d{1,18})")


class StreamPlace(NamedTuple):
    """Where an event stands: its transaction, and its number."""

    xact: int
    event_id: int

    def __str__(self) -> str:
        return f"{self.xact}-{self.event_id}"


START = StreamPlace(0, 0)


@dataclass(frozen=True, slots=True)
class JobSeq:
    """A job, and the number that an event has in its log."""

    public_id: uuid.UUID
    seq: int


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """An event of a job, or the end of a run or batch, which has no `job`."""

    place: StreamPlace
    job: JobSeq | None
    principal: str
    kind: str
    told: dict[str, Any]
    """What else people see of it: `at`, `level`, `position`, `shard` and `data`; of an end `at`, `run`, `batch` and
    `data`."""

    @property
    def document(self) -> dict[str, Any]:
        """All that people see of it, but for its place."""
        named = {"job": str(self.job.public_id), "seq": self.job.seq} if self.job else {}
        return {**named, "kind": self.kind, **self.told}


def parse_place(text: str) -> StreamPlace | None:
    """None if it is no place."""
    found = _PLACE.fullmatch(text)
    return StreamPlace(int(found[1]), int(found[2])) if found else None


async def read_stream(
    pool: Pool,
    settings: DatabaseSettings,
    after: StreamPlace,
    limit: int,
    *,
    until: StreamPlace | None = None,
    principal: str | None = None,
) -> list[StreamedEvent]:
    """The events after a place, up to another one or up to now; what is of one principal, or all."""
    bound = until or (None, None)
    async with single_statement(pool, settings) as connection:
        rows = await connection.fetch(queries()["read_stream"], *after, *bound, principal, limit)
    return [_event(row) for row in rows]


async def find_stream_end(pool: Pool, settings: DatabaseSettings) -> StreamPlace:
    """Where somebody begins who wants what comes from now on."""
    async with single_statement(pool, settings) as connection:
        row = await connection.fetchrow(queries()["find_stream_end"])
    return StreamPlace(row["xact"], row["event_id"]) if row else START


def _event(row: Any) -> StreamedEvent:  # noqa: ANN401 - the driver's record
    place, told = StreamPlace(row["xact"], row["event_id"]), {"at": row["at"].isoformat()}
    if row["public_id"] is None:
        job, batch = None, row["batch_id"]
        told |= {"run": row["run_id"], "batch": None if batch is None else str(batch)}
    else:
        job = JobSeq(row["public_id"], row["seq"])
        told |= {name: row[name] for name in ("level", "position", "shard")}
    return StreamedEvent(place, job, row["principal"], row["kind"], told | {"data": orjson.loads(row["data"])})
