"""What the list of sessions shows. Pure."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args
from urllib.parse import urlencode

from gateway.pages.badges import Badge, badge
from windmill.operate.sessions.people import SessionStatus

STATUSES: tuple[str, ...] = get_args(SessionStatus)
ROWS = 50


@dataclass(frozen=True)
class SessionLine:
    """A session in the list; `people` are those to whom voices are credited."""

    session_id: uuid.UUID
    state: Badge
    group_name: str | None
    started_by: str
    started_at: datetime
    seconds: float | None
    people: tuple[str, ...]
    speakers: int
    words: int


@dataclass(frozen=True)
class SessionsView:
    lines: tuple[SessionLine, ...]
    status: str
    older: str
    first: str
    statuses: tuple[str, ...] = STATUSES


def sessions_view(found: Sequence[Mapping[str, Any]], status: str, offset: int) -> SessionsView:
    """Of one row more than are shown, which tells whether there are older ones."""
    older = _url(status, offset + ROWS) if len(found) > ROWS else ""
    return SessionsView(tuple(map(_line, found[:ROWS])), status, older, _url(status, 0) if offset else "")


def _url(status: str, offset: int) -> str:
    asked = {name: value for name, value in (("status", status), ("offset", offset)) if value}
    return f"/ui/sessions?{urlencode(asked)}" if asked else "/ui/sessions"


def session_badge(status: str) -> Badge:
    return badge(status, status.replace("_", " "))


def _line(row: Mapping[str, Any]) -> SessionLine:
    return SessionLine(
        session_id=row["session_id"],
        state=session_badge(row["status"]),
        group_name=row["group_name"],
        started_by=row["started_by"],
        started_at=row["started_at"],
        seconds=row["duration_seconds"],
        people=tuple(filter(None, row["people"])),
        speakers=row["total_speakers"],
        words=row["group_total_words"],
    )
