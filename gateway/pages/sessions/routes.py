"""Sessions of talk: their list, and the page of each."""

import uuid
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Query, Request, Response

from gateway.context import Context, Gateway, Speaking
from gateway.guard import Viewer
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, changes, page
from gateway.pages.sessions.listing import ROWS, STATUSES, sessions_view
from gateway.pages.sessions.sound import gaps_of, sound_view
from gateway.pages.sessions.spoken import spoken_view
from gateway.pages.sessions.views import SessionView, WhereSaid, session_view
from gateway.pages.sessions.voices import by_speaker
from gateway.sessions.answering import emojis_of
from gateway.shape import Shape
from windmill.operate.sessions.people import Person
from windmill.operate.sessions.reading import list_sessions
from windmill.operate.sessions.talk_page import find_said, look_at_session, read_said_part, read_session_sound

router = page_router()


class SessionsQuery(Shape):
    status: Annotated[str, Query(pattern=f"^({'|'.join(STATUSES)})?$")] = ""
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0


class SessionQuery(Shape):
    """`part` is a part of what was said, or the one in which something is said `at` a second; `word`, of `speaker`
    alone, is one whose places are told. `had` is the mark of the page that asks what has changed."""

    part: Annotated[int | None, Query(ge=0, le=100_000)] = None
    at: Annotated[float | None, Query(ge=0, le=10**7)] = None
    word: Annotated[str, Query(max_length=100)] = ""
    speaker: uuid.UUID | None = None
    had: Annotated[str, Query(max_length=100)] = ""


Asked = Annotated[SessionQuery, Query()]


@router.get("/ui/sessions")
async def sessions(
    request: Request, gateway: Context, _: Viewer, person: Speaking, query: Annotated[SessionsQuery, Query()]
) -> Response:
    """Yours and those of your groups, the newest first."""
    return page(request, await _shown_list(gateway, person, query))


@router.get("/ui/live/sessions")
async def sessions_changes(
    request: Request, gateway: Context, _: Viewer, person: Speaking, query: Annotated[SessionsQuery, Query()]
) -> Response:
    """What has changed of them."""
    return changes(request, await _shown_list(gateway, person, query))


async def _shown_list(gateway: Gateway, person: Person, query: SessionsQuery) -> Shown:
    found = await list_sessions(gateway.access, person, None, query.status or None, ROWS + 1, query.offset)
    view = sessions_view(found, query.status, query.offset)
    live = f"/ui/live/sessions?status={query.status}&offset={query.offset}"
    return Shown("sessions/list.html", "Sessions", "sessions", view, live=live, json="/sessions")


@router.get("/ui/sessions/{session_id}")
async def session(
    request: Request, gateway: Context, _: Viewer, person: Speaking, session_id: uuid.UUID, query: Asked
) -> Response:
    """How it sounds, who said what, and who is who."""
    return page(request, await SessionPage(gateway, person, session_id).shown(query))


@router.get("/ui/live/sessions/{session_id}")
async def session_changes(
    request: Request, gateway: Context, _: Viewer, person: Speaking, session_id: uuid.UUID, query: Asked
) -> Response:
    """What has changed of its state, its counts and its claims; sound and words are left alone."""
    asked = SessionPage(gateway, person, session_id)
    return changes(request, asked.around(await asked.outline(query.had)))


@dataclass(frozen=True)
class SessionPage:
    """The page of a session for somebody."""

    gateway: Gateway
    person: Person
    session_id: uuid.UUID

    async def shown(self, query: SessionQuery) -> Shown:
        return self.around(await self.view(query))

    async def view(self, query: SessionQuery) -> SessionView:
        gateway, session, person = self.gateway, self.session_id, self.person
        outline = await self.outline()
        voices = by_speaker(outline.voices)
        sound = await read_session_sound(gateway.access, gateway.store, session, person)
        said = await read_said_part(gateway.access, session, person, query.part, query.at)
        return replace(
            outline,
            sound=sound_view(sound, voices, outline.session.duration_seconds),
            spoken=spoken_view(said, voices, gaps_of(sound)),
            where=await self._where(query, outline) if query.word else None,
            at=query.at,
        )

    async def outline(self, had: str = "") -> SessionView:
        """All but what was said, and its sound."""
        look = await look_at_session(self.gateway.access, self.session_id, self.person)
        return session_view(look, self.person, emojis_of(self.gateway, look.session.words), had)

    async def _where(self, query: SessionQuery, outline: SessionView) -> WhereSaid:
        hits = await find_said(self.gateway.access, self.session_id, self.person, query.word, query.speaker)
        named = by_speaker(outline.voices).get(query.speaker) if query.speaker else None
        return WhereSaid(query.word, named.name if named else "all", hits)

    def around(self, view: SessionView) -> Shown:
        where = f"sessions/{self.session_id}"
        title = f"Talk of {view.session.started_at:%-d %b %Y, %H:%M}"
        return Shown(
            "sessions/page.html", title, "sessions", view, live=f"/ui/live/{where}?had={view.mark}", json=f"/{where}"
        )
