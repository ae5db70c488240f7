"""What is stored of a talk: its transcript, its speakers, and each wanted word. All of it is made anew whenever words
are counted again, except that speakers stay who they are, and so do claims to them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from windmill.core.jsonb import parse_object, render_jsonb
from windmill.kernels.text.speaker_matching import VoicePart, Voices, same_speakers
from windmill.kernels.text.spoken_words import SpokenWord, spoken_word, written_word
from windmill.kernels.text.word_hits import CountedTalk, WordHit, count_talk
from windmill.kernels.text.word_list import WordList
from windmill.storage.database import Connection
from windmill.storage.queries import queries


@dataclass(frozen=True)
class HeardSpeaker:
    """A voice that was told apart."""

    label: str
    segments: int
    seconds: float


@dataclass(frozen=True)
class HeardTalk:
    """What was heard, by whom."""

    speakers: Sequence[HeardSpeaker]
    words: Sequence[SpokenWord]
    duration: float | None = None


@dataclass(frozen=True)
class CountingRule:
    """What words were counted by."""

    name: str
    version: int
    strict: bool = False


def heard_talk(transcript: Mapping[str, Any]) -> HeardTalk:
    """Of a transcript as the step `audio_attribute` writes it."""
    words = [spoken_word(one) for one in transcript.get("words", ())]
    speakers = [_heard_speaker(one) for one in transcript.get("speakers", ())]
    known = {one.label for one in speakers}
    others = sorted({word.speaker for word in words if word.speaker} - known)
    return HeardTalk([*speakers, *(HeardSpeaker(label, 0, 0.0) for label in others)], words, transcript.get("duration"))


def _heard_speaker(given: Mapping[str, Any]) -> HeardSpeaker:
    segments = given.get("segments") or 0
    number = segments if isinstance(segments, int) else len(segments)
    return HeardSpeaker(str(given["label"]), number, float(given.get("seconds") or 0.0))


async def save_talk(
    connection: Connection,
    session: uuid.UUID,
    job: uuid.UUID,
    talk: HeardTalk,
    counted: CountedTalk,
    rule: CountingRule,
) -> bool:
    """In a transaction. False, and nothing written, if another job works on the session by now, as after a late
    chunk: what is written twice by one job is the same."""
    row = await connection.fetchrow(queries()["lock_session"], session)
    if row is None or row["job"] != job:
        return False
    before = await read_heard(connection, session)
    await _save_speakers(connection, session, talk, same_speakers(before, talk.words) if before else {})
    await _save_words(connection, session, talk.words, counted)
    await connection.execute(
        queries()["note_counted"], session, job, rule.name, rule.version, rule.strict, talk.duration
    )
    return True


async def recount(connection: Connection, session: uuid.UUID, words: WordList, *, strict: bool = False) -> bool:
    """Count the stored words by this list; in a transaction. False if the session has no transcript."""
    row = await connection.fetchrow(queries()["lock_session"], session)
    found = await connection.fetchrow(queries()["read_transcript"], session) if row else None
    if row is None or found is None:
        return False
    heard = [spoken_word(one) for one in parse_object(found["heard"])["words"]]
    await _save_words(connection, session, heard, count_talk(heard, words, strict=strict))
    await connection.execute(
        queries()["note_counted"], session, row["counted_job"], words.name, words.version, strict, None
    )
    return True


async def assign_words(connection: Connection, session: uuid.UUID) -> None:
    """Give the words to speakers again, after one was split."""
    hits = [WordHit(**one) for one in await _read_raw_hits(connection, session)]
    await _save_hits(connection, session, hits)


async def read_heard(connection: Connection, session: uuid.UUID) -> list[SpokenWord]:
    """What was heard when it was counted last."""
    found = await connection.fetchrow(queries()["read_transcript"], session)
    return [spoken_word(one) for one in parse_object(found["heard"])["words"]] if found else []


async def read_corrected(connection: Connection, session: uuid.UUID) -> list[SpokenWord]:
    """The same after all corrections."""
    found = await connection.fetchrow(queries()["read_transcript"], session)
    return [spoken_word(one) for one in parse_object(found["corrected"])["words"]] if found else []


async def read_voices(connection: Connection, session: uuid.UUID) -> Voices[uuid.UUID]:
    """Whose the words are."""
    rows = await connection.fetch(queries()["read_speakers"], session)
    labels = {row["speaker_id"]: row["label"] for row in rows}
    return Voices(
        [
            VoicePart(row["speaker_id"], labels.get(row["split_from"], row["label"]), row["t0"], row["t1"])
            for row in rows
        ]
    )


async def _save_words(
    connection: Connection, session: uuid.UUID, heard: Sequence[SpokenWord], counted: CountedTalk
) -> None:
    documents = [{"words": [written_word(one) for one in words]} for words in (heard, counted.words)]
    documents[1]["hits"] = [asdict(hit) for hit in counted.hits]
    await connection.execute(queries()["save_transcript"], session, *map(render_jsonb, documents))
    await _save_hits(connection, session, counted.hits)


async def _read_raw_hits(connection: Connection, session: uuid.UUID) -> list[dict[str, Any]]:
    found = await connection.fetchrow(queries()["read_transcript"], session)
    return list(parse_object(found["corrected"]).get("hits", ())) if found else []


async def _save_hits(connection: Connection, session: uuid.UUID, hits: Sequence[WordHit]) -> None:
    voices = await read_voices(connection, session)
    owned = [(owner, hit) for hit in hits if (owner := voices.owner(hit.speaker, hit.t0)) is not None]
    names = ("corrected", "raw", "rule", "t0", "t1", "confidence")
    columns = [[getattr(hit, name) for _, hit in owned] for name in names]
    await connection.execute(queries()["delete_hits"], session)
    await connection.execute(queries()["insert_hits"], session, [owner for owner, _ in owned], *columns)


async def _save_speakers(connection: Connection, session: uuid.UUID, talk: HeardTalk, same: Mapping[str, str]) -> None:
    """A voice that was there before keeps its row, whatever it is called now."""
    rows = [row for row in await connection.fetch(queries()["read_speakers"], session) if row["split_from"] is None]
    known = {row["label"]: row["speaker_id"] for row in rows}
    kept = set()
    for one in talk.speakers:
        speaker = known.get(same.get(one.label, ""))
        if speaker is None:
            await connection.execute(
                queries()["insert_speaker"], session, one.label, one.segments, one.seconds, None, None, None
            )
        else:
            kept.add(speaker)
            await connection.execute(queries()["update_speaker"], speaker, one.label, one.segments, one.seconds)
    if gone := [speaker for speaker in known.values() if speaker not in kept]:
        await connection.execute(queries()["delete_speakers"], session, gone)
        await connection.execute(queries()["forget_changes"], session)
