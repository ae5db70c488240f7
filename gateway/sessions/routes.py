"""Sessions of talk: begun, ended, shown, and what was said in them. Whoever is no member of the group of a session, or
has not started a personal one, is refused."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Query, Request, Response

from gateway.artifacts.serving import FILE_ANSWERS, serve_file
from gateway.context import Context, Gateway, Speaking, Who
from gateway.errors import PROBLEMS
from gateway.events.frames import visible
from gateway.events.opening import JOB_STREAMS, LastEventId, open_job_stream, wants_stream
from gateway.guard import Operator, Viewer, noun_router
from gateway.jobs.shapes import EventList, EventQuery, JobEvent
from gateway.sessions.answering import emojis_of, results_shape, session_shape
from gateway.sessions.shapes import (
    Done,
    EndBody,
    NewSessionBody,
    ResultsShape,
    SessionQuery,
    SessionShape,
    SessionSummary,
    ToldBody,
    TranscriptShape,
    TranscriptWord,
)
from windmill.core.errors import WindmillError
from windmill.kernels.text.captions import rttm, srt, webvtt
from windmill.kernels.text.spoken_words import SpokenWord
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.jobs.serving import list_visible_events
from windmill.operate.sessions.people import Person
from windmill.operate.sessions.reading import find_sound, list_sessions, show_progress, show_speakers
from windmill.operate.sessions.recording import NewSession, begin_session, end_session, tell_people
from windmill.operate.sessions.transcripts import Transcript, show_transcript
from windmill.pipelines.audio.word_lists import find_word_list

router = noun_router("sessions")

TranscriptFormat = Literal["json", "srt", "vtt", "rttm"]
_TEXTS: Mapping[str, tuple[str, Callable[[list[SpokenWord], str], str]]] = {
    "srt": ("application/x-subrip", lambda words, _: srt(words)),
    "vtt": ("text/vtt", lambda words, _: webvtt(words)),
    "rttm": ("text/plain", rttm),
}


async def _show(gateway: Gateway, session: uuid.UUID, person: Person) -> SessionShape:
    return session_shape(await show_progress(gateway.access, session, person))


@router.post("/sessions", status_code=201)
async def begin(
    gateway: Context, _: Operator, person: Speaking, response: Response, body: NewSessionBody | None = None
) -> SessionShape:
    """Begin a recording, of your own or for a group."""
    given = body or NewSessionBody()
    find_word_list(given.words, gateway.settings.presets_dir)
    new = NewSession(given.group_id, given.told, given.words, given.strict_seed)
    session = await begin_session(gateway.access, person, new)
    response.headers["Location"] = f"/sessions/{session.session_id}"
    return await _show(gateway, session.session_id, person)


@router.get("/sessions")
async def list_all(
    gateway: Context, _: Viewer, person: Speaking, query: Annotated[SessionQuery, Query()]
) -> list[SessionSummary]:
    """Your sessions and those of your groups, the newest first."""
    found = await list_sessions(gateway.access, person, query.group_id, query.status, query.limit, query.offset)
    return [_summary(row) for row in found]


def _summary(row: Mapping[str, object]) -> SessionSummary:
    names = set(SessionSummary.model_fields) - {"id", "started_by_name"}
    values = {name: row[name] for name in names}
    return SessionSummary.model_validate({**values, "id": row["session_id"], "started_by_name": row["started_by"]})


@router.get("/sessions/{session_id}")
async def show(gateway: Context, _: Viewer, person: Speaking, session_id: uuid.UUID) -> SessionShape:
    """Where a session stands."""
    return await _show(gateway, session_id, person)


@router.get("/sessions/{session_id}/status")
async def show_status(gateway: Context, _: Viewer, person: Speaking, session_id: uuid.UUID) -> SessionShape:
    """The same under another name."""
    return await _show(gateway, session_id, person)


@router.post("/sessions/{session_id}/end")
async def end(
    gateway: Context,
    caller: Operator,
    who: Who,
    person: Speaking,
    session_id: uuid.UUID,
    body: EndBody | None = None,
) -> SessionShape:
    """End the recording, and have it worked on. Asked again, it changes nothing."""
    given = body or EndBody()
    access = gateway.watched(RecordedChange(who, "sessions.end", key=caller.key))
    await end_session(
        access,
        await gateway.presets.library(),
        person,
        session_id,
        expected=given.expected_chunks,
        seconds=given.final_duration_seconds,
    )
    return await _show(gateway, session_id, person)


@router.post("/sessions/{session_id}/consent")
async def tell(gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID, body: ToldBody) -> Done:
    """Note who was told that they are recorded."""
    await tell_people(gateway.access, person, session_id, body.told)
    return Done(message=f"{len(body.told)} people were told")


@router.get("/sessions/{session_id}/results")
async def results(gateway: Context, _: Viewer, person: Speaking, session_id: uuid.UUID) -> ResultsShape:
    """Who said how much."""
    session, speakers = await show_speakers(gateway.access, session_id, person)
    return results_shape(session, speakers, emojis_of(gateway, session.words))


@router.get(
    "/sessions/{session_id}/transcript",
    response_model=TranscriptShape,
    responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind, _ in _TEXTS.values()}}},
)
async def transcript(
    gateway: Context,
    _: Viewer,
    person: Speaking,
    session_id: uuid.UUID,
    wanted: Annotated[TranscriptFormat, Query(alias="format")] = "json",
) -> Response:
    """What was said, with what stood there before it was corrected; or as subtitles, or as turns (RTTM)."""
    found = await show_transcript(gateway.access, session_id, person)
    if wanted == "json":
        return Response(_document(found).model_dump_json(), media_type="application/json")
    kind, write = _TEXTS[wanted]
    return Response(write(found.named(), str(session_id)), media_type=kind)


def _document(found: Transcript) -> TranscriptShape:
    names = ("t0", "t1", "word", "confidence", "speaker", "rule", "raw")
    words = [
        TranscriptWord(speaker_id=who, **{name: getattr(word, name) for name in names})
        for word, who in zip(found.named(), found.speaker_ids, strict=True)
    ]
    session = found.session
    return TranscriptShape(
        session_id=session.session_id,
        words_list=session.words,
        words_version=session.words_version,
        words=words,
    )


@router.get("/sessions/{session_id}/audio", response_class=Response, responses={**PROBLEMS, **FILE_ANSWERS})
async def audio(request: Request, gateway: Context, _: Viewer, person: Speaking, session_id: uuid.UUID) -> Response:
    """The whole talk as one recording."""
    row = await find_sound(gateway.access, session_id, person)
    return await serve_file(request, gateway, row, row.key)


@router.get("/sessions/{session_id}/events", response_model=EventList, responses=JOB_STREAMS)
async def list_events(
    request: Request,
    gateway: Context,
    caller: Viewer,
    person: Speaking,
    session_id: uuid.UUID,
    query: Annotated[EventQuery, Query()],
    last_event_id: LastEventId = None,
) -> Response | EventList:
    """What happens to the job of a session, as a list or, with `Accept: text/event-stream`, live."""
    session = (await show_progress(gateway.access, session_id, person)).session
    if session.job is None:
        raise WindmillError("CONFLICT", "the session is still recorded; its job begins when it is ended")
    if wants_stream(request):
        # Members of its group see the job of whoever started the session.
        owner = replace(caller, principal=session.started_by)
        return await open_job_stream(request, gateway, owner, session.job, query.after, last_event_id)
    rows = await list_visible_events(gateway.access, session.job, query.after, query.limit, None)
    events = [JobEvent.model_validate(visible(row)) for row in rows]
    return EventList(events=events, count=len(events), last=events[-1].seq if events else query.after)
