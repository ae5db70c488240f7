"""What the gateway asks PostgreSQL for a request: it is served once, in this process, and its statements are noted.
They are asked again for other jobs, in one transaction, by the handler that the gateway is compared with."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from gateway.app import create_app
from gateway.border import Border
from gateway.server import open_gateway
from windmill.core.settings import Settings
from windmill.process.lifecycle import Program
from windmill.storage import database
from windmill.storage.database import Connection
from windmill.storage.queries import queries

ORDER = {"preset": "cinematic_portrait_v1", "inputs": {"prompt": "a lighthouse"}}
_OF_TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK")
TIMES = 4
Serve = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


@dataclass(frozen=True)
class Statement:
    """A statement, and what it was asked with."""

    sql: str
    arguments: Sequence[Any]


@dataclass(frozen=True)
class Noted:
    """The statements of a request about one job."""

    statements: Sequence[Statement]
    job_id: int | None = None
    public_id: uuid.UUID | None = None

    async def ask_again(self, connection: Connection, public_id: uuid.UUID | None = None) -> None:
        """The same for another job, or a new one."""
        known: dict[object, object] = {self.public_id: public_id, str(self.public_id): str(public_id)}
        for one in self.statements:
            rows = await connection.fetch(one.sql, *(known.get(given, given) for given in _hashable(one.arguments)))
            if self.job_id is not None and rows and "job_id" in rows[0]:
                known |= self._names(dict(rows[0]))

    def _names(self, row: Mapping[str, Any]) -> dict[object, object]:
        """What a row tells of the job that is asked about now."""
        found: dict[object, object] = {self.job_id: row["job_id"]}
        if "public_id" in row:
            found |= {self.public_id: row["public_id"], str(self.public_id): str(row["public_id"])}
        return found


def _hashable(arguments: Sequence[Any]) -> list[Any]:
    """Lists hold no names of jobs here; as tuples they can be looked up like all else."""
    return [tuple(one) if isinstance(one, list) else one for one in arguments]


async def note_statements(settings: Settings, key: str, known: uuid.UUID) -> dict[str, Noted]:
    """Of making a job, of showing one, and of a page of them."""
    async with database.pool(settings, "bench", max_size=1) as pool:
        gateway = await open_gateway(Program("bench", "bench", settings, asyncio.Event()), pool)
        transport = httpx.ASGITransport(Border(create_app(gateway), gateway))
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            await client.post("/jobs", json=ORDER)  # what is read once for many requests has been read
            made, noted = await _note(pool, client, lambda one: one.post("/jobs", json=ORDER))
            _, shown = await _note(pool, client, lambda one: one.get(f"/jobs/{known}"))
            _, listed = await _note(pool, client, lambda one: one.get("/jobs"))
        new = uuid.UUID(made.json()["job"]["public_id"])
        ids = {one: await pool.fetchval(queries()["find_job"], one, None) for one in (new, known)}
        return {
            "make": Noted(noted, ids[new], new),
            "show": Noted(shown, ids[known], known),
            "list": Noted(listed),
        }


async def _note(
    pool: database.Pool, client: httpx.AsyncClient, serve: Serve
) -> tuple[httpx.Response, Sequence[Statement]]:
    """The fewest of some times: a key is looked up again each second, not for each request."""
    return min([await _note_once(pool, client, serve) for _ in range(TIMES)], key=lambda one: len(one[1]))


async def _note_once(
    pool: database.Pool, client: httpx.AsyncClient, serve: Serve
) -> tuple[httpx.Response, Sequence[Statement]]:
    seen: list[Statement] = []

    def note(asked: Any) -> None:  # noqa: ANN401 - the driver's record
        if not asked.query.startswith(_OF_TRANSACTIONS):
            seen.append(Statement(asked.query, asked.args or ()))

    async with pool.acquire() as connection:
        connection.add_query_logger(note)
    answer = await serve(client)
    async with pool.acquire() as connection:
        connection.remove_query_logger(note)
    answer.raise_for_status()
    return answer, seen
