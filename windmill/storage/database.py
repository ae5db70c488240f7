"""PostgreSQL: the only module that knows the driver. Its exceptions leave here as DATABASE_UNAVAILABLE."""

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
from windmill.kernels.text.addresses import shown

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
Pool = asyncpg.Pool

CONNECT_SECONDS = 10.0
"""For all servers together, but each of them gets some."""
LEAST_CONNECT_SECONDS = 3.0
CLOSE_SECONDS = 3.0
COMMAND_SECONDS = 60.0
# The last is what the driver raises when the server ends a connection at the moment at which it goes back to the pool.
_DRIVER_ERRORS = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError, asyncpg.InternalClientError)
# What a server says of the account or of itself; that another one is away, or a standby, tells less.
_TELLING = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    ssl.SSLCertVerificationError,
)
_ACCOUNT = "correct DB_USER and DB_PASSWORD, or let PostgreSQL know them"
_CERTIFICATE = "correct DB_HOST or DB_SSLROOTCERT, or give PostgreSQL a certificate for that name which is signed so"
_MIGRATE = "create the tables: python -m windmill migrate"


@contextmanager
def converted(settings: DatabaseSettings) -> Iterator[None]:
    """Let the driver's exceptions leave as ours: DATABASE_UNAVAILABLE, or DataRefused for data it will never take."""
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
    except _DRIVER_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise WindmillError("DATABASE_UNAVAILABLE", f"{_where(settings)}: {reason}") from error


def _where(settings: DatabaseSettings) -> str:
    return f"database {settings.db_name} of {settings.db_user} at {shown(settings.db_servers())}"


def arguments(settings: DatabaseSettings, application: str) -> dict[str, Any]:
    """What every connection of this process is opened with, wherever the server is."""
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
    """The first server that is as it should be, asked one after the other in an order of chance. The driver can do so
    too, but would spend all of its time on one that hangs."""
    servers = settings.db_servers()
    seconds = max(CONNECT_SECONDS / len(servers), LEAST_CONNECT_SECONDS)
    failures: list[Exception] = []
    for server in random.sample(servers, len(servers)):
        try:
            return await asyncpg.connect(host=[server.host], port=server.port, timeout=seconds, **given)
        except _DRIVER_ERRORS as error:
            failures.append(error)
    raise next((error for error in failures if isinstance(error, _TELLING)), failures[-1])


@asynccontextmanager
async def pool(settings: DatabaseSettings, application: str, *, most: int = 4) -> AsyncIterator[Pool]:
    """A pool that connects when a connection is asked for, and so outlives a server that comes and goes."""
    opened = await asyncpg.create_pool(
        min_size=0, max_size=most, connect=partial(_open_any, settings), **arguments(settings, application)
    )
    try:
        yield opened
    finally:
        await _close(opened)


async def check(opened: Pool, settings: DatabaseSettings, statement: str) -> None:
    """Run a statement that says whether the database is as it should be."""
    with converted(settings):
        async with opened.acquire(timeout=CONNECT_SECONDS) as one:
            await one.execute(statement)


@asynccontextmanager
async def connection(settings: DatabaseSettings, application: str) -> AsyncIterator[asyncpg.Connection]:
    """One connection, for work that is done in a moment."""
    with converted(settings):
        opened = await _open_any(settings, **arguments(settings, application))
    try:
        with converted(settings):
            yield opened
    finally:
        await _close_quietly(opened)


async def _close_quietly(opened: asyncpg.Connection) -> None:
    """A connection that is being left may hang or be broken; that must not hide why. The driver has dropped it then."""
    with contextlib.suppress(*_DRIVER_ERRORS):
        await opened.close(timeout=CLOSE_SECONDS)


async def _close(opened: Pool) -> None:
    try:
        await asyncio.wait_for(opened.close(), CLOSE_SECONDS)
    except TimeoutError:
        opened.terminate()
