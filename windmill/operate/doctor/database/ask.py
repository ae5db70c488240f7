"""Querying the database; `judge` makes findings of the answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.settings import Settings
from windmill.core.stages import STAGES
from windmill.kernels.net.server_addresses import render_addresses
from windmill.operate.doctor.database import judge
from windmill.operate.doctor.database.judge_snapshots import (
    HELD_TRANSACTIONS,
    IDLE_SECONDS,
    LONG_SECONDS,
    judge_held_snapshots,
    judge_long_transactions,
)
from windmill.operate.doctor.database.judge_stages import judge_stages
from windmill.operate.doctor.database.judge_steps import LATE_SECONDS, judge_steps
from windmill.operate.doctor.findings import DoctorFinding, collect, ok, problem, skipped
from windmill.operate.doctor.threads import in_thread
from windmill.storage import database
from windmill.storage.migrations import available, pending
from windmill.storage.queries import queries

SAMPLE_IMAGES = 1_000
DatabaseTest = Callable[[database.Connection, Settings], Awaitable[list[DoctorFinding]]]


async def examine(settings: Settings, seconds: float) -> list[DoctorFinding]:
    """Run every query over one connection, each with its own timeout."""
    async with AsyncExitStack() as stack:
        opening = stack.enter_async_context(database.connection(settings, "windmill doctor"))
        try:
            connection = await asyncio.wait_for(opening, seconds)
        except (WindmillError, TimeoutError) as error:
            return _unreachable(error, seconds)
        found = [
            ok(
                "database",
                "connect",
                f"{settings.db_user} at {render_addresses(settings.db_servers())}, database {settings.db_name}",
            )
        ]
        for name, ask in _TESTS.items():
            found += await collect("database", name, seconds, _converted(ask, connection, settings))
    return found


def _unreachable(error: WindmillError | TimeoutError, seconds: float) -> list[DoctorFinding]:
    if isinstance(error, WindmillError):
        said, remedy = error.message, error.remedy
    else:
        said, remedy = f"no connection within {seconds:g} s", "see whether DB_HOST is right and no firewall is between"
    unasked = skipped("database", "all else", "there is no connection")
    return [problem("database", "connect", said, remedy), unasked]


async def _converted(ask: DatabaseTest, connection: database.Connection, settings: Settings) -> list[DoctorFinding]:
    with database.translate_errors(settings):
        return await ask(connection, settings)


async def _only_row(connection: database.Connection, statement: str, *given: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", await connection.fetchrow(statement, *given))


async def _server(connection: database.Connection, settings: DatabaseSettings) -> list[DoctorFinding]:
    began = datetime.now(UTC)
    row = await _only_row(connection, queries()["server"])
    took = datetime.now(UTC) - began
    skew = (row["clock"] - began - took / 2).total_seconds()
    return judge.server(settings, row, skew, exact=took.total_seconds() / 2)


async def _migrations(connection: database.Connection, _: DatabaseSettings) -> list[DoctorFinding]:
    remedy = "python -m windmill migrate"
    if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return [problem("database", "migrations", "none is applied: there are no tables", remedy)]
    rows = await connection.fetch(queries()["list_applied_migrations"])
    known = available()
    try:
        todo = pending(known, {row["version"]: row["digest"] for row in rows})
    except WindmillError as error:
        return [problem("database", "migrations", error.message, error.remedy)]
    if todo:
        named = ", ".join(f"{migration.version:04} {migration.name}" for migration in todo)
        return [problem("database", "migrations", f"not applied: {named}", remedy)]
    return [ok("database", "migrations", f"all {len(known)} are applied")]


async def _privileges(connection: database.Connection, settings: DatabaseSettings) -> list[DoctorFinding]:
    relations, privileges = zip(*judge.PRIVILEGES, strict=True)
    rows = await connection.fetch(queries()["privileges_not_held"], relations, privileges)
    return judge.privileges(settings, [(row["relation"], row["privilege"]) for row in rows])


async def _parameters(connection: database.Connection, settings: DatabaseSettings) -> list[DoctorFinding]:
    rows = await connection.fetch(queries()["parameters"], [*judge.PARAMETERS, "data_directory"])
    values = {row["name"]: row["setting"] for row in rows}
    offered = {row["name"]: frozenset(row["enumvals"] or ()) for row in rows}
    directory = values.get("data_directory")
    disk = await in_thread(partial(judge.free_space, settings, directory)) if directory else []
    return [*judge.parameters(settings, values, offered), *disk]


async def _connections(connection: database.Connection, _: DatabaseSettings) -> list[DoctorFinding]:
    row = await _only_row(connection, queries()["connections"])
    return [judge.connections(row["used"], row["most"])]


async def _long_transactions(connection: database.Connection, _: DatabaseSettings) -> list[DoctorFinding]:
    rows = await connection.fetch(queries()["long_transactions"], LONG_SECONDS, IDLE_SECONDS)
    return judge_long_transactions(cast("Sequence[Mapping[str, Any]]", rows))


async def _held_snapshots(connection: database.Connection, _: DatabaseSettings) -> list[DoctorFinding]:
    rows = await connection.fetch(queries()["held_snapshots"], HELD_TRANSACTIONS)
    return judge_held_snapshots(cast("Sequence[Mapping[str, Any]]", rows))


async def _orphans(connection: database.Connection, _: DatabaseSettings) -> list[DoctorFinding]:
    row = await _only_row(connection, queries()["sample_of_orphans"], SAMPLE_IMAGES)
    return [judge.orphans(row["looked_at"], row["orphans"])]


async def _stages(connection: database.Connection, settings: Settings) -> list[DoctorFinding]:
    rows = await connection.fetch(queries()["stages_and_backlog"], list(STAGES))
    return judge_stages(cast("Sequence[Mapping[str, Any]]", rows), load_fleet(settings.service_config))


async def _steps(connection: database.Connection, _: DatabaseSettings) -> list[DoctorFinding]:
    work = await connection.fetch(queries()["list_step_work"])
    late = await connection.fetch(queries()["late_leases"], LATE_SECONDS)
    return judge_steps(cast("Sequence[Mapping[str, Any]]", work), cast("Sequence[Mapping[str, Any]]", late))


_TESTS: dict[str, DatabaseTest] = {
    "server": _server,
    "migrations": _migrations,
    "privileges": _privileges,
    "parameters": _parameters,
    "connections": _connections,
    "long transactions": _long_transactions,
    "held snapshots": _held_snapshots,
    "orphans": _orphans,
    "post-processing": _stages,
    "jobs": _steps,
}
