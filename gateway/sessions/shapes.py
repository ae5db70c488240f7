"""Sessions of talk outside, under the names that clients of the counting app know. Users are known by their
principals."""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import UploadFile
from pydantic import Field, StrictBool, StringConstraints

from gateway.shape import Shape
from windmill.operate.sessions.claims import ClaimType
from windmill.operate.sessions.people import SessionStatus
from windmill.operate.sessions.recording import MOST_CHUNKS
from windmill.pipelines.audio.forms import DEFAULT_WORDS

PersonName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Told = Annotated[tuple[PersonName, ...], Field(max_length=100)]
ChunkNumber = Annotated[int, Field(ge=0, lt=MOST_CHUNKS)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class NewSessionBody(Shape):
    """`told` are the people who know that they are recorded."""

    group_id: uuid.UUID | None = None
    told: Told = ()
    words: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")] = DEFAULT_WORDS
    strict_seed: StrictBool = False


class ToldBody(Shape):
    told: Annotated[tuple[PersonName, ...], Field(min_length=1, max_length=100)]


class EndBody(Shape):
    """`expected_chunks` is how many there must be: what is missing is told, and stays silent."""

    final_duration_seconds: Seconds | None = None
    expected_chunks: Annotated[int, Field(ge=1, le=MOST_CHUNKS)] | None = None


class ChunkForm(Shape):
    """A piece of a recording. `sha256` is compared with what came."""

    file: UploadFile
    duration_seconds: Seconds = 30.0
    chunk_number: ChunkNumber | None = None
    start_ms: Annotated[int, Field(ge=0, le=10**10)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class ChunkAnswer(Shape):
    """`duplicate`: the same bytes were there under this number. `late`: the session had ended, and is heard again."""

    chunk_number: int
    uploaded: bool
    storage_path: str
    sha256: str
    bytes: int
    duplicate: bool
    late: bool


class SessionShape(Shape):
    """`progress` counts to 100. `missing` are chunks that have not come, `next_chunk_number` the first of them."""

    id: uuid.UUID
    group_id: uuid.UUID | None
    started_by: str
    status: SessionStatus
    started_at: datetime
    ended_at: datetime | None
    progress: int
    stage: str
    audio_url: str | None
    duration_seconds: float | None
    error_message: str | None
    chunks: int
    next_chunk_number: int
    missing: list[int]
    job: uuid.UUID | None


class SessionSummary(Shape):
    id: uuid.UUID
    group_id: uuid.UUID | None
    started_by: str
    started_by_name: str
    status: SessionStatus
    started_at: datetime
    ended_at: datetime | None
    duration_seconds: float | None
    total_speakers: int
    my_total_words: int
    group_total_words: int


class SessionQuery(Shape):
    group_id: uuid.UUID | None = None
    status: SessionStatus | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class WordCountShape(Shape):
    word: str
    count: int
    emoji: str


class SpeakerShape(Shape):
    """`merged` are voices that count for this one."""

    id: uuid.UUID
    speaker_label: str
    segment_count: int
    total_duration_seconds: float
    sample_audio_url: str | None
    sample_start_time: float | None
    claimed_by: str | None
    claimed_at: datetime | None
    claim_type: ClaimType | None
    attributed_to_user_id: str | None
    guest_name: str | None
    merged: list[uuid.UUID]
    word_counts: list[WordCountShape]


class SpeakerList(Shape):
    speakers: list[SpeakerShape]


class ClaimBody(Shape):
    """`attributed_to_user_id` is for `user`, the principal of a member; `guest_name` for `guest`."""

    speaker_id: uuid.UUID
    claim_type: ClaimType
    attributed_to_user_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    guest_name: PersonName | None = None


class SpeakerBody(Shape):
    speaker_id: uuid.UUID


class MergeBody(Shape):
    """What `speaker_id` said counts for `into`."""

    speaker_id: uuid.UUID
    into: uuid.UUID


class SplitBody(Shape):
    """With times, what the voice says from `start` to before `end` becomes another speaker; without them, a voice that
    was merged is parted again."""

    speaker_id: uuid.UUID
    start: Seconds | None = None
    end: Seconds | None = None


class Done(Shape):
    """`speaker_id` is a speaker that was made."""

    success: bool = True
    message: str
    speaker_id: uuid.UUID | None = None


class TopWord(Shape):
    word: str
    count: int


class PersonShape(Shape):
    speaker_id: uuid.UUID
    user_id: str | None
    username: str | None
    name: str
    display_name: str
    avatar_url: str | None
    is_guest: bool
    word_counts: list[WordCountShape]
    total_words: int
    top_word: TopWord | None


class ResultsShape(Shape):
    session_id: uuid.UUID
    status: SessionStatus
    duration_seconds: float | None
    total_words: int
    total_singlish_words: int
    all_claimed: bool
    speakers: list[PersonShape]


class TranscriptWord(Shape):
    """`raw` is what was heard where a rule has corrected it."""

    t0: float
    t1: float
    word: str
    confidence: float
    speaker: str
    speaker_id: uuid.UUID | None
    rule: str | None
    raw: str | None


class TranscriptShape(Shape):
    session_id: uuid.UUID
    words_list: str | None
    words_version: int | None
    words: list[TranscriptWord]
