"""Recording a session: it is begun, chunks come in any order and more than once, and it is ended."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from windmill.core.errors import WindmillError
from windmill.jobs.access import JobAccess
from windmill.jobs.requests import cancel_job
from windmill.jobs.submitting import NewJob, find_job, insert_job, start_job
from windmill.operate.sessions.people import Person, Session, lock_visible, role_in, visible_session
from windmill.pipelines.audio.forms import DEFAULT_WORDS
from windmill.pipelines.presets.preset_job import job_of_request
from windmill.pipelines.presets.preset_library import PresetLibrary
from windmill.pipelines.presets.preset_request import read_request
from windmill.storage.audit_log import write_audit
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.sessions.chunks import SessionChunk, add_chunk, find_chunk, find_last_chunk, missing_of
from windmill.storage.transactions import transaction

PRESET = "talk_v1"
CONTINUATION = "application/octet-stream"
"""What goes on where the chunk before it stopped, as recorders of browsers send it."""
MOST_CHUNKS = 100_000


@dataclass(frozen=True)
class NewSession:
    """What is asked for; `told` are people who know that they are recorded."""

    group_id: uuid.UUID | None = None
    told: Sequence[str] = ()
    words: str = DEFAULT_WORDS
    strict_seed: bool = False


@dataclass(frozen=True)
class TakenChunk:
    """A chunk that is safe. `duplicate`: it was there before. `reopened`: it came late, and the talk is heard again."""

    chunk: SessionChunk
    duplicate: bool = False
    reopened: bool = False


async def begin_session(access: JobAccess, person: Person, new: NewSession) -> Session:
    async with transaction(access.pool, access.settings) as rows:
        if new.group_id is not None and await role_in(rows, new.group_id, person) is None:
            raise WindmillError("PERMISSION_DENIED", "only members of a group record for it")
        if new.group_id is not None and await rows.fetchrow(queries()["find_group"], new.group_id) is None:
            raise WindmillError("NOT_FOUND", f"there is no group {new.group_id}")
        session = await rows.fetchval(
            queries()["insert_session"], new.group_id, person.name, new.words, new.strict_seed
        )
        await rows.execute(queries()["insert_session_consents"], session, list(new.told), person.name)
        await write_audit(rows, person.actor, "sessions.create", str(session), None, {"told": list(new.told)})
        return await visible_session(rows, session, person)


async def tell_people(access: JobAccess, person: Person, session: uuid.UUID, told: Sequence[str]) -> None:
    """Note who was told that they are recorded."""
    async with transaction(access.pool, access.settings) as rows:
        await lock_visible(rows, session, person)
        await rows.execute(queries()["insert_session_consents"], session, list(told), person.name)
        await write_audit(rows, person.actor, "sessions.consent", str(session), None, {"told": list(told)})


async def take_chunk(
    access: JobAccess, library: PresetLibrary, person: Person, session: uuid.UUID, chunk: SessionChunk
) -> TakenChunk:
    """Its bytes are in the store. A negative number stands for the next one. Raises CONFLICT for other bytes under a
    number that was taken, and for what comes after the end without having been missed."""
    async with transaction(access.pool, access.settings) as rows:
        row = await lock_visible(rows, session, person)
        numbered = await _numbered(rows, session, chunk)
        there = await find_chunk(rows, session, numbered.number)
        if numbered.number == 0 and numbered.media_type == CONTINUATION:
            raise WindmillError(
                "MEDIA_TYPE_UNSUPPORTED", "the first chunk of a recording must begin as a recording does"
            )
        if there is not None:
            return TakenChunk(_same(there, numbered), duplicate=True)
        if row["job"] is not None:
            await _must_be_missed(rows, row, numbered)
        await add_chunk(rows, session, numbered)
        begun = row["job"] is not None and await rows.fetchval(queries()["has_join_begun"], row["job"])
        if begun:
            await _start(rows, access, talk_job(access, library, row), row)
    if begun:
        await _cancel(access, row["job"], person)
    return TakenChunk(numbered, reopened=row["job"] is not None)


async def _numbered(rows: Connection, session: uuid.UUID, chunk: SessionChunk) -> SessionChunk:
    """Without a number of its own it is the next one, unless it is the last one sent again: nobody records half a chunk
    of the same bytes in half its time."""
    if chunk.number >= 0:
        return chunk
    last = await find_last_chunk(rows, session)
    if last is None:
        return replace(chunk, number=0)
    again = last.sha256 == chunk.sha256 and last.age_seconds < (chunk.duration_ms or 0) / 2_000
    return replace(chunk, number=last.number if again else last.number + 1)


def _same(there: SessionChunk, sent: SessionChunk) -> SessionChunk:
    if there.sha256 != sent.sha256:
        said = f"chunk {there.number} is there with other bytes (sha256 {there.sha256})"
        raise WindmillError("CONFLICT", said, "send it under a number of its own")
    return there


async def _must_be_missed(rows: Connection, row: dict[str, object], chunk: SessionChunk) -> None:
    session = row["session_id"]
    assert isinstance(session, uuid.UUID)
    if row["audio_dropped_at"] is not None:
        raise WindmillError("CONFLICT", "the session has ended, and its sound is not kept any more")
    if chunk.number not in await missing_of(rows, session):
        raise WindmillError("CONFLICT", "the session has ended", "begin another one: POST /sessions")


async def end_session(
    access: JobAccess,
    library: PresetLibrary,
    person: Person,
    session: uuid.UUID,
    *,
    expected: int | None = None,
    seconds: float | None = None,
) -> Session:
    """No more is recorded; a job works on what there is. Asked again, it changes nothing."""
    async with transaction(access.pool, access.settings) as rows:
        row = await lock_visible(rows, session, person)
        if row["job"] is None:
            if await rows.fetchval(queries()["next_chunk_number"], session) == 0:
                raise WindmillError("CONFLICT", "no chunk of the session has come", "send one first")
            await _start(rows, access, talk_job(access, library, row), row, expected, seconds)
        return await visible_session(rows, session, person)


def talk_job(access: JobAccess, library: PresetLibrary, row: dict[str, object]) -> NewJob:
    """The job that works on a session, of whoever started it."""
    inputs = {"session": str(row["session_id"]), "words": row["words"], "strict_seed": row["strict_seed"]}
    preset = library.get(PRESET).preset
    request = read_request(preset, inputs, None, consent_given=False, draw_seed=lambda: 0)
    return replace(job_of_request(request, access.catalog), principal=str(row["started_by"]))


async def _start(
    rows: Connection,
    access: JobAccess,
    job: NewJob,
    row: dict[str, object],
    expected: int | None = None,
    seconds: float | None = None,
) -> None:
    book = await insert_job(rows, job)
    assert book, "it has no key that another job could have"
    change = await start_job(rows, access, book)
    await rows.execute(queries()["end_session"], row["session_id"], change.public_id, expected, seconds)


async def _cancel(access: JobAccess, job: uuid.UUID, person: Person) -> None:
    """The job that has heard less than there is; one that has ended is left as it is."""
    try:
        plain = replace(access, witness=None)
        await cancel_job(plain, await find_job(plain, job), person.name or "somebody here")
    except WindmillError as error:
        if error.code not in ("CONFLICT", "NOT_FOUND"):
            raise
