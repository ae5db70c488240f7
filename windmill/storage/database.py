"""Connections to PostgreSQL. Only this module imports the driver; its exceptions become DATABASE_UNAVAILABLE."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import asyncpg

from windmill.core.errors import DataRefused, WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.kernels.net.server_addresses import render_addresses

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
PooledConnection = asyncpg.pool.PoolConnectionProxy
Pool = asyncpg.Pool

LOCKED = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
"""Others hold what a statement needs."""

CONNECT_SECONDS = 10.0
"""For all servers together; each gets at least MIN_CONNECT_SECONDS."""
MIN_CONNECT_SECONDS = 3.0
CLOSE_SECONDS = 3.0
COMMAND_SECONDS = 60.0
# The driver raises the last one when the server closes a connection just as it returns to the pool.
_DRIVER_ERRORS = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError, asyncpg.InternalClientError)
# Errors about the account or the server itself; that another server is down or a standby says less.
_SPECIFIC_ERRORS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    ssl.SSLCertVerificationError,
)
# PostgreSQL guesses that a list whose length it does not know has ten members. So plans for lists of one or two look
# cheaper, and it makes one for each statement, which costs as much as to run it. Not on partitions: only a plan for a
# list that is known leaves out those where none of its images are. Without the second setting, a plan from when a table
# was small would read all of it later.
# In passing the driver learns the types of lists: it asks the server about each when it first meets it, and about all
# together that costs a quarter.
_KEEP_PLANS = """
SELECT set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_seqscan', 'off', false),
       NULL::bigint[], NULL::integer[], NULL::text[], NULL::json[], NULL::float8[], NULL::real[], NULL::timestamptz[]
FROM pg_class WHERE oid = to_regclass('results') AND relkind <> 'p'
"""
_ACCOUNT = "correct DB_USER and DB_PASSWORD, in .env or wherever you set them, or create that role in PostgreSQL"
_CERTIFICATE = "correct DB_HOST or DB_SSLROOTCERT, or give PostgreSQL a certificate for that name, signed by that CA"
_DISK = "free or add disk space on the machine of PostgreSQL; the fleet waits and then goes on by itself"
_MIGRATE = "create the tables: python -m windmill migrate"


@contextmanager
def translate_errors(settings: DatabaseSettings) -> Iterator[None]:
    """Translate exceptions of the driver: DATABASE_UNAVAILABLE, or DataRefused for data that PostgreSQL rejects."""
    try:
        yield
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError) as error:
        raise DataRefused(str(error)) from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise WindmillError("CONFIG_INVALID", f"{_where(settings)}: {error}", _ACCOUNT) from error
    except asyncpg.InvalidCatalogNameError as error:
        remedy = f"CREATE DATABASE {settings.db_name} OWNER {settings.db_user}; or correct DB_NAME"
        raise WindmillError("CONFIG_INVALID", f"{_where(settings)}: {error}", remedy) from error
    except asyncpg.UndefinedTableError as error:
        raise WindmillError("CONFIG_INVALID", f"{error} in {_where(settings)}", _MIGRATE) from error
    except ssl.SSLCertVerificationError as error:
        raise WindmillError("CONFIG_INVALID", f"{_where(settings)}: {error}", _CERTIFICATE) from error
    except asyncpg.DiskFullError as error:
        raise WindmillError("DATABASE_UNAVAILABLE", f"{_where(settings)}: {error}", _DISK) from error
    except _DRIVER_ERRORS as error:
        # What the driver says of its own states helps nobody: that the server closed the connection meanwhile.
        lost = isinstance(error, asyncpg.InternalClientError)
        reason = "the connection was lost" if lost else str(error) or type(error).__name__
        raise WindmillError("DATABASE_UNAVAILABLE", f"{_where(settings)}: {reason}") from error


def _where(settings: DatabaseSettings) -> str:
    return f"database {settings.db_name} of {settings.db_user} at {render_addresses(settings.db_servers())}"


def connect_arguments(settings: DatabaseSettings, application: str) -> dict[str, Any]:
    """The arguments of every connection of this process, apart from the server."""
    return {
        "user": settings.db_user,
        "password": settings.db_password or None,
        "database": settings.db_name,
        "ssl": _tls(settings),
        "target_session_attrs": settings.db_session_attributes(),
        "command_timeout": COMMAND_SECONDS,
        "server_settings": {"application_name": application},
    }


def _tls(settings: DatabaseSettings) -> ssl.SSLContext | str:
    if settings.db_sslmode not in ("verify-ca", "verify-full"):
        return settings.db_sslmode
    context = ssl.create_default_context(cafile=settings.db_sslrootcert)
    context.check_hostname = settings.db_sslmode == "verify-full"
    return context


async def _open_any(settings: DatabaseSettings, *_: object, **given: Any) -> asyncpg.Connection:  # noqa: ANN401 - the driver's
    """Connect to the first suitable server, in random order. The driver can do this too, but would spend the whole
    timeout on a server that hangs."""
    servers = settings.db_servers()
    seconds = max(CONNECT_SECONDS / len(servers), MIN_CONNECT_SECONDS)
    failures: list[Exception] = []
    for server in random.sample(servers, len(servers)):
        try:
            return await asyncpg.connect(host=[server.host], port=server.port, timeout=seconds, **given)
        except _DRIVER_ERRORS as error:
            failures.append(error)
    raise next((error for error in failures if isinstance(error, _SPECIFIC_ERRORS)), failures[-1])


@asynccontextmanager
async def pool(
    settings: DatabaseSettings,
    application: str,
    *,
    max_size: int = 4,
    hang_seconds: float | None = None,
    keeps_plans: bool = False,
) -> AsyncIterator[Pool]:
    """A pool that connects lazily, so that it survives restarts of the server. With `hang_seconds` a process that hangs
    for so long in the middle of a transaction loses that connection: what it has locked is free for others. With
    `keeps_plans` a statement is planned once for each connection, and not for each list of images anew: for who only
    looks up rows of some images.

    Whoever uses it leaves no state in a session. So the driver's statement that would clear it each time a connection
    returns is left out: it is a round trip, and costs the server as much as a short transaction."""
    arguments = connect_arguments(settings, application)
    if hang_seconds:
        arguments["server_settings"]["idle_in_transaction_session_timeout"] = str(round(hang_seconds * 1000))
    opened = await asyncpg.create_pool(
        min_size=0,
        max_size=max_size,
        connect=partial(_open_any, settings),
        init=_begin_keeping_session if keeps_plans else _begin_session,
        reset=_keep_session,
        **arguments,
    )
    try:
        yield opened
    finally:
        await _close(opened)


async def _begin_session(opened: Connection) -> None:
    """A statement without a transaction sees what others have committed, whatever the server's default is."""
    await opened.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED")


async def _begin_keeping_session(opened: Connection) -> None:
    await _begin_session(opened)
    await opened.fetch(_KEEP_PLANS)


async def _keep_session(opened: Connection) -> None:
    """Nothing to clear; the driver itself has rolled back what was open."""


async def check(opened: Pool, settings: DatabaseSettings, statement: str) -> None:
    """Run a statement that fails if the database is not set up."""
    with translate_errors(settings):
        async with opened.acquire(timeout=CONNECT_SECONDS) as one:
            await one.execute(statement)


def rows_written(command_tag: str) -> int:
    """How many rows a statement wrote, from what PostgreSQL says when it is done, such as `INSERT 0 25`."""
    return int(command_tag.rpartition(" ")[2])


@asynccontextmanager
async def connection(settings: DatabaseSettings, application: str) -> AsyncIterator[asyncpg.Connection]:
    """One connection, for short work."""
    with translate_errors(settings):
        opened = await _open_any(settings, **connect_arguments(settings, application))
    try:
        with translate_errors(settings):
            yield opened
    finally:
        await _close_quietly(opened)


async def _close_quietly(opened: asyncpg.Connection) -> None:
    """Close a connection; if it hangs or is broken, that must not mask the original exception. The driver drops it."""
    with contextlib.suppress(*_DRIVER_ERRORS):
        await opened.close(timeout=CLOSE_SECONDS)


async def _close(opened: Pool) -> None:
    try:
        await asyncio.wait_for(opened.close(), CLOSE_SECONDS)
    except TimeoutError:
        opened.terminate()
