"""Speakers of a session: listed, heard, claimed, merged, split; and the last change undone."""

import uuid

from fastapi import Request, Response

from gateway.artifacts.serving import FILE_ANSWERS, serve_file
from gateway.context import Context, Speaking
from gateway.errors import PROBLEMS
from gateway.guard import Operator, Viewer, noun_router
from gateway.sessions.answering import emojis_of, speaker_shape
from gateway.sessions.shapes import ClaimBody, Done, MergeBody, SpeakerBody, SpeakerList, SplitBody
from windmill.core.errors import WindmillError
from windmill.operate.sessions import claims
from windmill.operate.sessions.reading import find_sound, show_speakers

router = noun_router("sessions")


@router.get("/sessions/{session_id}/speakers")
async def list_speakers(gateway: Context, _: Viewer, person: Speaking, session_id: uuid.UUID) -> SpeakerList:
    """The voices of a session, with the words of each, and whose they are."""
    session, speakers = await show_speakers(gateway.access, session_id, person)
    emojis = emojis_of(gateway, session.words)
    return SpeakerList(speakers=[speaker_shape(session, one, emojis) for one in speakers])


@router.get(
    "/sessions/{session_id}/speakers/{speaker_id}/sample",
    response_class=Response,
    responses={**PROBLEMS, **FILE_ANSWERS},
)
async def sample(
    request: Request, gateway: Context, _: Viewer, person: Speaking, session_id: uuid.UUID, speaker_id: uuid.UUID
) -> Response:
    """A few seconds of a voice."""
    row = await find_sound(gateway.access, session_id, person, speaker_id)
    return await serve_file(request, gateway, row, row.key)


@router.post("/sessions/{session_id}/claim")
async def claim(gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID, body: ClaimBody) -> Done:
    """Say whose a voice is. If somebody was first it is 409, with `claimant` and `claimed_by`."""
    new = claims.NewClaim(body.speaker_id, body.claim_type, body.attributed_to_user_id, body.guest_name)
    await claims.claim(gateway.access, person, session_id, new)
    return Done(message="claimed")


@router.post("/sessions/{session_id}/unclaim")
async def unclaim(gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID, body: SpeakerBody) -> Done:
    """Take a claim back."""
    await claims.unclaim(gateway.access, person, session_id, body.speaker_id)
    return Done(message="nobody has it now")


@router.post("/sessions/{session_id}/speakers/merge")
async def merge(gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID, body: MergeBody) -> Done:
    """Say that two voices are one person."""
    await claims.merge(gateway.access, person, session_id, body.into, body.speaker_id)
    return Done(message="merged")


@router.post("/sessions/{session_id}/speakers/split")
async def split(gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID, body: SplitBody) -> Done:
    """Say that a part of a voice is somebody else, or part a voice that was merged."""
    if (body.start is None) != (body.end is None):
        raise WindmillError("USAGE", "start and end belong together")
    if body.start is None or body.end is None:
        await claims.unmerge(gateway.access, person, session_id, body.speaker_id)
        return Done(message="parted")
    made = await claims.split(gateway.access, person, session_id, body.speaker_id, body.start, body.end)
    return Done(message="split", speaker_id=made)


@router.post("/sessions/{session_id}/speakers/undo")
async def undo(gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID) -> Done:
    """Take back the last claim, unclaim, merge or split."""
    return Done(message=f"{await claims.undo(gateway.access, person, session_id)} undone")
