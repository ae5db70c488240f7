"""Groups of people who talk with each other. Whoever makes one leads it; others join by its code."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from windmill.core.errors import WindmillError
from windmill.jobs.access import JobAccess
from windmill.operate.sessions.people import Person, role_in
from windmill.storage.audit_log import write_audit
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

CODE_LENGTH = 8
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without those that look alike."""


@dataclass(frozen=True)
class TalkGroup:
    group_id: uuid.UUID
    name: str
    invite_code: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class Member:
    principal: str
    role: str
    joined_at: datetime


async def create_group(access: JobAccess, person: Person, name: str) -> TalkGroup:
    code = "".join(secrets.choice(_LETTERS) for _ in range(CODE_LENGTH))
    async with transaction(access.pool, access.settings) as rows:
        row = await rows.fetchrow(queries()["insert_group"], name, code, person.name)
        assert row
        await rows.execute(queries()["insert_member"], row["group_id"], person.name, "admin")
        await write_audit(rows, person.actor, "groups.create", str(row["group_id"]), None, {"name": name})
        return TalkGroup(**row)


async def join_group(access: JobAccess, person: Person, code: str) -> TalkGroup:
    """Who is a member already stays one; raises NOT_FOUND for a code of no group."""
    async with transaction(access.pool, access.settings) as rows:
        row = await rows.fetchrow(queries()["find_group_by_code"], code.strip().upper())
        if row is None:
            raise WindmillError("NOT_FOUND", "there is no group with this code")
        if await rows.fetchval(queries()["insert_member"], row["group_id"], person.name, "member"):
            await write_audit(rows, person.actor, "groups.join", str(row["group_id"]), None, None)
        return TalkGroup(**row)


async def leave_group(access: JobAccess, person: Person, group: uuid.UUID, principal: str) -> None:
    """One may leave, and whoever leads the group may send others away. What was claimed stays claimed."""
    async with transaction(access.pool, access.settings) as rows:
        await find_group(rows, group, person)
        if principal != person.name and await role_in(rows, group, person) != "admin":
            raise WindmillError("PERMISSION_DENIED", "only who leads the group may send others away")
        await rows.execute(queries()["delete_member"], group, principal)
        await write_audit(rows, person.actor, "groups.leave", str(group), {"principal": principal}, None)


async def find_group(rows: Connection, group: uuid.UUID, person: Person) -> TalkGroup:
    """Raises NOT_FOUND, or PERMISSION_DENIED for who is no member."""
    row = await rows.fetchrow(queries()["find_group"], group)
    if row is None:
        raise WindmillError("NOT_FOUND", f"there is no group {group}")
    if await role_in(rows, group, person) is None:
        raise WindmillError("PERMISSION_DENIED", "only its members may see the group")
    return TalkGroup(**row)


async def show_group(access: JobAccess, person: Person, group: uuid.UUID) -> tuple[TalkGroup, Sequence[Member]]:
    async with transaction(access.pool, access.settings) as rows:
        found = await find_group(rows, group, person)
        return found, [Member(**row) for row in await rows.fetch(queries()["read_members"], group)]


async def own_groups(access: JobAccess, person: Person) -> list[TalkGroup]:
    async with transaction(access.pool, access.settings) as rows:
        found = [dict(row) for row in await rows.fetch(queries()["list_own_groups"], person.name)]
    return [TalkGroup(**{name: value for name, value in row.items() if name != "role"}) for row in found]
