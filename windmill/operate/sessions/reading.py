"""Sessions as they stand: their lists, their speakers, and what was said."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windmill.core.errors import WindmillError
from windmill.jobs.access import JobAccess
from windmill.operate.sessions.people import Person, Session, visible_session
from windmill.pipelines.audio.stages import StageProgress, StepShare, progress_of
from windmill.storage.artifacts.table import ArtifactRow
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.sessions.chunks import SessionChunk, missing_of
from windmill.storage.transactions import transaction


@dataclass(frozen=True)
class SessionProgress:
    """Where a session stands; `next_number` is the lowest that has not come."""

    session: Session
    progress: StageProgress
    chunks: Sequence[SessionChunk]
    missing: Sequence[int]
    has_audio: bool

    @property
    def next_number(self) -> int:
        return self.missing[0] if self.missing else len(self.chunks)


@dataclass(frozen=True)
class WordCount:
    """A word, and how often it was said."""

    word: str
    count: int


@dataclass(frozen=True)
class Claim:
    """Who says that a voice is whose."""

    claim_type: str
    claimed_by: str
    claimed_at: datetime
    attributed_to: str | None
    guest_name: str | None


@dataclass(frozen=True)
class Speaker:
    """A voice with all that was merged into it."""

    speaker_id: uuid.UUID
    label: str
    segments: int
    seconds: float
    merged: Sequence[uuid.UUID]
    claim: Claim | None
    counts: Sequence[WordCount]
    has_sample: bool = False
    sample_start: float | None = None


async def show_progress(access: JobAccess, session: uuid.UUID, person: Person) -> SessionProgress:
    async with transaction(access.pool, access.settings) as rows:
        return await read_progress(rows, await visible_session(rows, session, person))


async def read_progress(rows: Connection, session: Session) -> SessionProgress:
    chunks = [SessionChunk(**row) for row in await rows.fetch(queries()["read_chunks"], session.session_id)]
    has_audio = "talk.wav" in await _files(rows, session)
    missing = await missing_of(rows, session.session_id)
    return SessionProgress(session, await _progress(rows, session), chunks, missing, has_audio)


async def _progress(rows: Connection, session: Session) -> StageProgress:
    if session.status in ("ready_for_claiming", "completed"):
        return StageProgress("generating_samples", 100)
    if session.job is None:
        return StageProgress("", 0)
    found = await rows.fetch(queries()["read_session_steps"], session.job)
    return progress_of([StepShare(**row) for row in found])


async def _files(rows: Connection, session: Session) -> Mapping[str, float | None]:
    """The names of what the job has made, and where in the talk each sample begins."""
    if session.job is None:
        return {}
    return {row["name"]: row["start"] for row in await rows.fetch(queries()["list_session_files"], session.job)}


async def list_sessions(
    access: JobAccess, person: Person, group: uuid.UUID | None, status: str | None, limit: int, offset: int
) -> list[dict[str, Any]]:
    """The newest first, each with its counts."""
    async with transaction(access.pool, access.settings) as rows:
        wanted = (person.sees, group, status, person.name, limit, offset)
        return [dict(row) for row in await rows.fetch(queries()["page_of_sessions"], *wanted)]


async def read_speakers(rows: Connection, session: Session) -> list[Speaker]:
    """Those that are not merged into another, in the order of their labels."""
    found = [dict(row) for row in await rows.fetch(queries()["read_speakers"], session.session_id)]
    counts: dict[uuid.UUID, list[WordCount]] = defaultdict(list)
    for row in await rows.fetch(queries()["read_session_counts"], session.session_id):
        counts[row["speaker_id"]].append(WordCount(row["word"], row["count"]))
    files = await _files(rows, session)
    return [
        _speaker(row, [one for one in found if one["merged_into"] == row["speaker_id"]], counts, files)
        for row in found
        if row["merged_into"] is None
    ]


def _speaker(
    row: Mapping[str, Any],
    merged: Sequence[Mapping[str, Any]],
    counts: Mapping[uuid.UUID, Sequence[WordCount]],
    files: Mapping[str, float | None],
) -> Speaker:
    claim = [row[name] for name in ("claim_type", "claimed_by", "claimed_at", "attributed_to", "guest_name")]
    return Speaker(
        speaker_id=row["speaker_id"],
        label=row["label"],
        segments=sum(one["segments"] for one in (row, *merged)),
        seconds=sum(one["seconds"] for one in (row, *merged)),
        merged=[one["speaker_id"] for one in merged],
        claim=Claim(*claim) if row["claim_type"] else None,
        counts=counts.get(row["speaker_id"], ()),
        has_sample=sample_name(row["label"]) in files,
        sample_start=files.get(sample_name(row["label"])),
    )


def sample_name(label: str) -> str:
    """What the file with a sample of this voice is called."""
    return f"sample_{label}.wav"


async def show_speakers(access: JobAccess, session: uuid.UUID, person: Person) -> tuple[Session, list[Speaker]]:
    async with transaction(access.pool, access.settings) as rows:
        found = await visible_session(rows, session, person)
        return found, await read_speakers(rows, found)


async def find_sound(
    access: JobAccess, session: uuid.UUID, person: Person, speaker: uuid.UUID | None = None
) -> ArtifactRow:
    """The file with the whole talk, or with the sample of a speaker; raises NOT_FOUND."""
    async with transaction(access.pool, access.settings) as rows:
        found = await visible_session(rows, session, person)
        name = "talk.wav"
        if speaker is not None:
            named = [one.label for one in await read_speakers(rows, found) if one.speaker_id == speaker]
            name = sample_name(named[0]) if named else ""
        row = await rows.fetchrow(queries()["find_session_file"], found.job, name)
    if row is None:
        raise WindmillError("NOT_FOUND", "there is no such sound, or it is not kept")
    return ArtifactRow(**row)
