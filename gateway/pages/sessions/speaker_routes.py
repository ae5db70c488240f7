"""What people say of the voices of a session: whose they are, which are one, and that it was not so."""

import uuid
from dataclasses import replace
from typing import Annotated

from fastapi import Form, Request, Response

from gateway.context import Context, Speaking
from gateway.guard import Operator
from gateway.pages.flash import go_on
from gateway.pages.forms import PageForm
from gateway.pages.page_route import page_router
from gateway.pages.rendering import page
from gateway.pages.sessions.forms import ClaimForm, MergeForm, SpeakerForm, SplitForm
from gateway.pages.sessions.routes import SessionPage, SessionQuery
from gateway.pages.sessions.views import Refused
from windmill.operate.sessions import claims

router = page_router()


@router.post("/ui/sessions/{session_id}/claim")
async def claim(
    request: Request, gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID,
    form: Annotated[ClaimForm, Form()],
) -> Response:  # fmt: skip
    """Say whose a voice is. Whoever comes second sees the page as it is now, and who was first."""
    try:
        await claims.claim(gateway.access, person, session_id, form.claim)
    except claims.AlreadyClaimed as first:
        asked = SessionPage(gateway, person, session_id)
        view = replace(await asked.view(SessionQuery()), refused=Refused(first.claimant, first.claimed_by))
        return page(request, asked.around(view), 409)
    return _done(request, session_id, "The voice is claimed.")


@router.post("/ui/sessions/{session_id}/unclaim")
async def unclaim(
    request: Request, gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID,
    form: Annotated[SpeakerForm, Form()],
) -> Response:  # fmt: skip
    """Take a claim back."""
    await claims.unclaim(gateway.access, person, session_id, form.speaker_id)
    return _done(request, session_id, "Nobody has the voice now.")


@router.post("/ui/sessions/{session_id}/merge")
async def merge(
    request: Request, gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID,
    form: Annotated[MergeForm, Form()],
) -> Response:  # fmt: skip
    """Say that two voices are one person."""
    await claims.merge(gateway.access, person, session_id, form.into, form.speaker_id)
    return _done(request, session_id, "The two voices are one person now.")


@router.post("/ui/sessions/{session_id}/part")
async def part(
    request: Request, gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID,
    form: Annotated[SpeakerForm, Form()],
) -> Response:  # fmt: skip
    """Say that a voice that was merged is somebody else after all."""
    await claims.unmerge(gateway.access, person, session_id, form.speaker_id)
    return _done(request, session_id, "The voices are two people again.")


@router.post("/ui/sessions/{session_id}/split")
async def split(
    request: Request, gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID,
    form: Annotated[SplitForm, Form()],
) -> Response:  # fmt: skip
    """Say that a part of a voice is somebody else."""
    await claims.split(gateway.access, person, session_id, form.speaker_id, form.start, form.end)
    return _done(request, session_id, "The part is a voice of its own now.")


@router.post("/ui/sessions/{session_id}/undo")
async def undo(
    request: Request, gateway: Context, _: Operator, person: Speaking, session_id: uuid.UUID,
    form: Annotated[PageForm, Form()],  # noqa: ARG001 - with the token
) -> Response:  # fmt: skip
    """Take back the last change of the speakers."""
    return _done(request, session_id, f"{await claims.undo(gateway.access, person, session_id)} undone.".capitalize())


def _done(request: Request, session_id: uuid.UUID, said: str) -> Response:
    return go_on(request, f"/ui/sessions/{session_id}", said)
