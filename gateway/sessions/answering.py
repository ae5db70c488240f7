"""Sessions and speakers as answers."""

from collections.abc import Mapping, Sequence

from gateway.context import Gateway
from gateway.errors import hide_paths
from gateway.sessions.shapes import (
    PersonShape,
    ResultsShape,
    SessionShape,
    SpeakerShape,
    TopWord,
    WordCountShape,
)
from windmill.core.errors import WindmillError
from windmill.operate.sessions.people import Session
from windmill.operate.sessions.reading import SessionProgress, Speaker, WordCount
from windmill.operate.sessions.results import PersonResult, results_of
from windmill.pipelines.audio.forms import DEFAULT_WORDS
from windmill.pipelines.audio.word_lists import find_word_list

Emojis = Mapping[str, str]


def session_shape(found: SessionProgress) -> SessionShape:
    session = found.session
    names = ("group_id", "started_by", "status", "started_at", "ended_at", "duration_seconds", "job")
    return SessionShape(
        id=session.session_id,
        progress=found.progress.percent,
        stage=found.progress.stage,
        audio_url=f"/sessions/{session.session_id}/audio" if found.has_audio else None,
        error_message=hide_paths(session.error_message)[:500] if session.error_message else None,
        chunks=len(found.chunks),
        next_chunk_number=found.next_number,
        missing=list(found.missing),
        **{name: getattr(session, name) for name in names},
    )


def emojis_of(gateway: Gateway, name: str | None) -> Emojis:
    """By word; none if the list is gone."""
    try:
        words = find_word_list(name or DEFAULT_WORDS, gateway.settings.presets_dir)
    except WindmillError:
        return {}
    return {word.word: word.emoji for word in words.words}


def counts_shape(counts: Sequence[WordCount], emojis: Emojis) -> list[WordCountShape]:
    return [WordCountShape(word=one.word, count=one.count, emoji=emojis.get(one.word, "")) for one in counts]


def speaker_shape(session: Session, speaker: Speaker, emojis: Emojis) -> SpeakerShape:
    claim, sample = speaker.claim, f"/sessions/{session.session_id}/speakers/{speaker.speaker_id}/sample"
    return SpeakerShape(
        id=speaker.speaker_id,
        speaker_label=speaker.label,
        segment_count=speaker.segments,
        total_duration_seconds=round(speaker.seconds, 3),
        sample_audio_url=sample if speaker.has_sample else None,
        sample_start_time=speaker.sample_start,
        claimed_by=claim.claimed_by if claim else None,
        claimed_at=claim.claimed_at if claim else None,
        claim_type=claim.claim_type if claim else None,  # type: ignore[arg-type]  # the table allows no other
        attributed_to_user_id=claim.attributed_to if claim else None,
        guest_name=claim.guest_name if claim else None,
        merged=list(speaker.merged),
        word_counts=counts_shape(speaker.counts, emojis),
    )


def results_shape(session: Session, speakers: Sequence[Speaker], emojis: Emojis) -> ResultsShape:
    found = results_of(speakers)
    total = sum(one.total for one in found)
    return ResultsShape(
        session_id=session.session_id,
        status=session.status,
        duration_seconds=session.duration_seconds,
        total_words=total,
        total_singlish_words=total,
        all_claimed=all(one.claim is not None for one in speakers),
        speakers=[_person(one, emojis) for one in found],
    )


def _person(result: PersonResult, emojis: Emojis) -> PersonShape:
    top = result.counts[0] if result.counts else None
    return PersonShape(
        speaker_id=result.speaker.speaker_id,
        user_id=result.user,
        username=result.user,
        name=result.name,
        display_name=result.name,
        avatar_url=None,
        is_guest=result.is_guest,
        word_counts=counts_shape(result.counts, emojis),
        total_words=result.total,
        top_word=TopWord(word=top.word, count=top.count) if top else None,
    )
