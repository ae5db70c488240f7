"""Searches that somebody wants again, each under a name."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.search.searching import understood
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

MOST = 1_000


@dataclass(frozen=True)
class SavedSearch:
    """A query under a name."""

    search_id: uuid.UUID
    name: str
    query: str
    created_at: datetime


async def save_search(
    pool: Pool, settings: DatabaseSettings, who: Actor, name: str, text: str
) -> tuple[SavedSearch, bool]:
    """The search, and whether there was none of the name; raises USAGE for a query that cannot be read."""
    understood(text)
    async with transaction(pool, settings) as rows:
        row = await rows.fetchrow(queries()["save_search"], who.principal, name, text)
        assert row
        new = bool(row["new"])
        saved = SavedSearch(*(row[one] for one in ("search_id", "name", "query", "created_at")))
        action = "searches.create" if new else "searches.change"
        await write_audit(rows, who, action, str(saved.search_id), None, {"name": name, "query": text})
    return saved, new


async def list_searches(pool: Pool, settings: DatabaseSettings, principal: str | None) -> list[SavedSearch]:
    """Those of a principal, or of all, by their names."""
    async with transaction(pool, settings) as rows:
        return [SavedSearch(**row) for row in await rows.fetch(queries()["list_searches"], principal, MOST)]


async def delete_search(
    pool: Pool, settings: DatabaseSettings, who: Actor, search_id: uuid.UUID, principal: str | None
) -> None:
    """Raises NOT_FOUND."""
    async with transaction(pool, settings) as rows:
        name = await rows.fetchval(queries()["delete_search"], search_id, principal)
        if name is None:
            raise WindmillError("NOT_FOUND", f"there is no saved search {search_id}")
        await write_audit(rows, who, "searches.delete", str(search_id), {"name": name}, None)
