"""Who asks for something of a session, and what they may: the members of its group, or whoever started it."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from windmill.core.errors import WindmillError
from windmill.storage.audit_log import Actor
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.sessions.chunks import no_session

SessionStatus = Literal["recording", "processing", "ready_for_claiming", "completed", "failed"]


@dataclass(frozen=True)
class Person:
    """A principal; an administrator may do all. Users of talks are known by the principals of their keys."""

    actor: Actor
    admin: bool = False

    @property
    def name(self) -> str:
        return self.actor.principal

    @property
    def sees(self) -> str | None:
        """Whose sessions; None is all."""
        return None if self.admin else self.name


@dataclass(frozen=True)
class Session:
    """A session as it stands."""

    session_id: uuid.UUID
    group_id: uuid.UUID | None
    started_by: str
    started_at: datetime
    ended_at: datetime | None
    duration_seconds: float | None
    job: uuid.UUID | None
    words: str | None
    words_version: int | None
    audio_dropped_at: datetime | None
    chunks: int | None
    status: SessionStatus
    error_message: str | None


async def visible_session(rows: Connection, session: uuid.UUID, person: Person) -> Session:
    """Raises NOT_FOUND, or PERMISSION_DENIED for whoever is neither a member of its group nor has started it."""
    row = await rows.fetchrow(queries()["find_session"], session)
    if row is None:
        raise no_session(session)
    found = Session(**row)
    await _must_see(rows, found.group_id, found.started_by, person)
    return found


async def lock_visible(rows: Connection, session: uuid.UUID, person: Person) -> dict[str, Any]:
    """The row of the session, which nobody else changes until the transaction ends."""
    row = await rows.fetchrow(queries()["lock_session"], session)
    if row is None:
        raise no_session(session)
    await _must_see(rows, row["group_id"], row["started_by"], person)
    return dict(row)


async def role_in(rows: Connection, group: uuid.UUID | None, person: Person) -> str | None:
    """admin, member, or None."""
    role: str | None = await rows.fetchval(queries()["read_role"], group, person.name) if group else None
    return "admin" if person.admin else role


async def _must_see(rows: Connection, group: uuid.UUID | None, started_by: str, person: Person) -> None:
    if person.admin or (group is None and started_by == person.name):
        return
    if group is None:
        raise WindmillError("PERMISSION_DENIED", "only whoever started a personal session may see it")
    if await role_in(rows, group, person) is None:
        raise WindmillError("PERMISSION_DENIED", "only members of its group may see the session")


async def leads(rows: Connection, session: Session, person: Person) -> bool:
    """Whether somebody may undo what others have done: whoever started it, and administrators of the group."""
    return session.started_by == person.name or await role_in(rows, session.group_id, person) == "admin"
