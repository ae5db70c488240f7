"""The record of who changed what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from windmill.core.jsonb import render_jsonb
from windmill.storage.database import Connection
from windmill.storage.queries import queries


@dataclass(frozen=True)
class Actor:
    """Who asks for a change, and with which request."""

    principal: str
    key_prefix: str | None = None
    request_id: str = ""


async def write_audit(
    connection: Connection,
    actor: Actor,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """Append a row; in the transaction that makes the change, so that neither is there without the other."""
    await connection.execute(
        queries()["write_audit"],
        *(actor.principal, actor.key_prefix, actor.request_id, action, subject),
        *(None if one is None else render_jsonb(dict(one)) for one in (before, after)),
    )
