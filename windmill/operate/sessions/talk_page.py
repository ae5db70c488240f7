"""What people look at of a session: how it stands and who spoke, a part of what was said, and its sound."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from windmill.jobs.access import JobAccess
from windmill.kernels.text.spoken_words import SpokenWord, spoken_word
from windmill.operate.jobs.stored_json import read_stored_json
from windmill.operate.sessions.people import Person, Session, leads, visible_session
from windmill.operate.sessions.reading import SessionProgress, Speaker, read_progress, read_speakers
from windmill.storage.artifacts.store import ArtifactStore
from windmill.storage.artifacts.table import ArtifactRow
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.sessions.counting import read_voices
from windmill.storage.transactions import transaction

PART_WORDS = 500
MOST_HITS = 100
_MOST_BYTES = 4_000_000
_ENDLESS = 1e9


@dataclass(frozen=True)
class SpeakerChange:
    """What was changed last of the speakers, and whether whoever looks may undo it."""

    kind: str
    principal: str
    may_undo: bool


@dataclass(frozen=True)
class Correction:
    """What a rule has made of what was heard; `seconds` are the first times."""

    rule: str
    raw: str
    word: str
    times: int
    least_confidence: float
    seconds: Sequence[float]


@dataclass(frozen=True)
class SessionLook:
    """How a session stands; `members` may be named in a claim, `leads` may take back what others did."""

    progress: SessionProgress
    speakers: Sequence[Speaker]
    group_name: str | None
    members: Sequence[str]
    leads: bool
    change: SpeakerChange | None
    corrections: Sequence[Correction]
    told: Sequence[str]

    @property
    def session(self) -> Session:
        return self.progress.session


@dataclass(frozen=True)
class SaidHit:
    """A wanted word, who said it, and what it was made of."""

    speaker_id: uuid.UUID
    word: str
    raw: str
    rule: str | None
    t0: float
    t1: float
    confidence: float


@dataclass(frozen=True)
class SaidPart:
    """A part of what was said, from the word with the number `first` of `total`; `owners` are who said each word."""

    words: Sequence[SpokenWord]
    owners: Sequence[uuid.UUID | None]
    hits: Sequence[SaidHit]
    first: int
    total: int


@dataclass(frozen=True)
class OwnTurn:
    speaker_id: uuid.UUID
    t0: float
    t1: float


@dataclass(frozen=True)
class SessionSound:
    """`told` is what the step that joins chunks has told of the sound; empty until it has."""

    told: Mapping[str, Any]
    turns: Sequence[OwnTurn]


async def look_at_session(access: JobAccess, session: uuid.UUID, person: Person) -> SessionLook:
    async with transaction(access.pool, access.settings) as rows:
        found = await visible_session(rows, session, person)
        group = await rows.fetchrow(queries()["find_group"], found.group_id) if found.group_id else None
        is_leader = await leads(rows, found, person)
        return SessionLook(
            progress=await read_progress(rows, found),
            speakers=await read_speakers(rows, found),
            group_name=group["name"] if group else None,
            members=await _members(rows, found),
            leads=is_leader,
            change=await _last_change(rows, found, person, is_leader=is_leader),
            corrections=[Correction(**row) for row in await rows.fetch(queries()["read_corrections"], session, 50)],
            told=[row["person"] for row in await rows.fetch(queries()["read_session_consents"], session, 100)],
        )


async def _members(rows: Connection, session: Session) -> list[str]:
    if session.group_id is None:
        return [session.started_by]
    return [row["principal"] for row in await rows.fetch(queries()["read_members"], session.group_id)]


async def _last_change(rows: Connection, session: Session, person: Person, *, is_leader: bool) -> SpeakerChange | None:
    last = await rows.fetchrow(queries()["last_change"], session.session_id)
    if last is None:
        return None
    return SpeakerChange(last["kind"], last["principal"], is_leader or last["principal"] == person.name)


async def read_said_part(
    access: JobAccess, session: uuid.UUID, person: Person, part: int | None, at: float | None
) -> SaidPart:
    """The part with this number, or the one in which something is said at this second."""
    async with transaction(access.pool, access.settings) as rows:
        await visible_session(rows, session, person)
        found = await rows.fetch(queries()["read_transcript_part"], session, part, at, PART_WORDS)
        if not found:
            return SaidPart((), (), (), 0, 0)
        words = [spoken_word(orjson.loads(row["said"])) for row in found]
        whole = await _whole_speakers(rows, session)
        voices = await read_voices(rows, session)
        owners = [voices.owner(word.speaker, word.t0) for word in words]
        times = (words[0].t0, words[-1].t0)
        hits = [SaidHit(**row) for row in await rows.fetch(queries()["read_hits"], session, *times, None, None, 5_000)]
        whose = [whole.get(owner) if owner else None for owner in owners]
        return SaidPart(words, whose, hits, found[0]["place"], found[0]["total"])


async def find_said(
    access: JobAccess, session: uuid.UUID, person: Person, word: str, speaker: uuid.UUID | None
) -> list[SaidHit]:
    """Where a wanted word was said; the first ones, if there are very many."""
    async with transaction(access.pool, access.settings) as rows:
        await visible_session(rows, session, person)
        wanted = (0.0, _ENDLESS, word, speaker, MOST_HITS)
        return [SaidHit(**row) for row in await rows.fetch(queries()["read_hits"], session, *wanted)]


async def read_session_sound(
    access: JobAccess, store: ArtifactStore, session: uuid.UUID, person: Person
) -> SessionSound:
    """How loud it is and where it is missing, and when who speaks; empty as long as nobody knows."""
    async with transaction(access.pool, access.settings) as rows:
        found = await visible_session(rows, session, person)
        talk, turns = await _file(rows, found, "talk.json"), await _file(rows, found, "turns.json")
        whole, voices = await _whole_speakers(rows, session), await read_voices(rows, session)
    told, spoken = await _read(store, talk), await _read(store, turns)
    own = [
        OwnTurn(whole[owner], t0, t1)
        for turn in (spoken if isinstance(spoken, list) else ())
        for owner, t0, t1 in voices.owners(turn["speaker"], turn["t0"], turn["t1"])
    ]
    return SessionSound(told if isinstance(told, dict) else {}, own)


async def _file(rows: Connection, session: Session, name: str) -> ArtifactRow | None:
    row = await rows.fetchrow(queries()["find_session_file"], session.job, name) if session.job else None
    return ArtifactRow(**row) if row else None


async def _read(store: ArtifactStore, file: ArtifactRow | None) -> Any:  # noqa: ANN401 - any JSON
    if file is None or file.bytes > _MOST_BYTES:
        return None
    return await read_stored_json(store, file.key, file.bytes)


async def _whole_speakers(rows: Connection, session: uuid.UUID) -> Mapping[uuid.UUID, uuid.UUID]:
    """For each speaker the one that it counts for."""
    found = await rows.fetch(queries()["read_speakers"], session)
    return {row["speaker_id"]: row["merged_into"] or row["speaker_id"] for row in found}
