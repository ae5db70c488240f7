"""Real servers for the tests that need them: those named by DB_HOST and QUEUE_HOST, else private ones under var/test.

Each test gets a database of its own, copied from a migrated template, and queue names of its own.
Servers that cannot be had make a test skip, with the reason; in CI (CI=true) they make it fail.
"""

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping

import aio_pika
import asyncpg
import pytest

from deploy import local
from windmill.errors import WindmillError
from windmill.migrations import migrate
from windmill.services import load_fleet
from windmill.settings import ROOT, Settings

STATE = ROOT / "var" / "test"
# What a developer's own environment may not decide in a test.
KEPT = ("DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_SSLMODE", "QUEUE_HOST", "QUEUE_PORT", "QUEUE_USER",
        "QUEUE_PASSWORD", "QUEUE_VHOST", "QUEUE_MANAGEMENT_PORT")  # fmt: skip


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, str]]:
    """How to reach a real PostgreSQL and a real RabbitMQ."""
    named = {name: os.environ[name] for name in KEPT if name in os.environ}
    ran_already = any(server.running for server in local.instance(STATE).status())
    try:
        found = local.up(STATE, named, report=lambda _: None)
    except WindmillError as error:
        unavailable(str(error))
    yield found | named
    if not ran_already:
        local.down(STATE)


def unavailable(reason: str) -> None:
    """Skip on a developer's machine, fail where everything has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def template(servers: Mapping[str, str]) -> Iterator[str]:
    """The name of a database with all migrations applied."""
    name = f"windmill_template_{uuid.uuid4().hex[:8]}"
    asyncio.run(_administer(servers, f"CREATE DATABASE {name}"))

    async def apply(connection: asyncpg.Connection) -> None:
        await migrate(connection)

    asyncio.run(_connected(servers, name, apply))
    yield name
    asyncio.run(_administer(servers, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def environ(servers: Mapping[str, str], template: str) -> Iterator[dict[str, str]]:
    """The variables of a fleet of its own, for `Settings.from_env` and for commands that are started."""
    unique = uuid.uuid4().hex[:8]
    database, prefix = f"windmill_{unique}", f"test_{unique}_"
    asyncio.run(_administer(servers, f"CREATE DATABASE {database} TEMPLATE {template}"))
    yield {**servers, "DB_NAME": database, "QUEUE_PREFIX": prefix, "RETRY_DELAYS": "0.2,0.4"}
    asyncio.run(_delete_queues(servers, prefix))
    asyncio.run(_administer(servers, f"DROP DATABASE {database} WITH (FORCE)"))


@pytest.fixture
def settings(environ: Mapping[str, str]) -> Settings:
    return Settings.from_env(environ)


async def _administer(servers: Mapping[str, str], statement: str) -> None:
    async def execute(connection: asyncpg.Connection) -> None:
        await connection.execute(statement)

    await _connected(servers, "postgres", execute)


async def _connected(
    servers: Mapping[str, str], database: str, work: Callable[[asyncpg.Connection], Awaitable[None]]
) -> None:
    connection = await asyncpg.connect(
        host=servers["DB_HOST"],
        port=int(servers.get("DB_PORT", "5432")),
        user=servers.get("DB_USER", "windmill"),
        password=servers.get("DB_PASSWORD"),
        database=database,
    )
    try:
        await work(connection)
    finally:
        await connection.close()


async def _delete_queues(servers: Mapping[str, str], prefix: str) -> None:
    """The queues that the fleet of one test may have made; deleting one that is not there is nothing."""
    names = [prefix + name for name in (*load_fleet(ROOT / "service_config.json").services, "extra")]
    connection = await aio_pika.connect(
        host=servers["QUEUE_HOST"],
        port=int(servers.get("QUEUE_PORT", "5672")),
        login=servers.get("QUEUE_USER", "guest"),
        password=servers.get("QUEUE_PASSWORD", "guest"),
        virtualhost=servers.get("QUEUE_VHOST", "/"),
    )
    async with connection, connection.channel() as channel:
        for name in names:
            await channel.queue_delete(name)
            await channel.queue_delete(f"{name}.failed")
