"""Real servers for the tests that need them: those named by DB_HOST and QUEUE_HOST, else private ones under var/test,
or with BROKER=4 under var/test-4, with their data in memory where there is room (tests/memory_state.py).

Each test gets a database of its own, copied from a migrated template, and queue names of its own.
Servers that cannot be had make a test skip, with the reason; in CI (CI=true) they make it fail.
"""

import asyncio
import contextlib
import fcntl
import os
import uuid
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from pathlib import Path
from typing import TextIO

import asyncpg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as of_properties

from dev import servers as private_servers
from dev.servers import databases
from tests import memory_state
from tests.e2e import swift_store
from tests.image_stores import RealStores
from tests.integration.fleet import Fleet, running_fleet, unavailable
from tests.integration.proxy import Proxy
from tests.parallel import RETRY_DELAYS
from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.storage import database
from windmill.storage.migrations import migrate

# The version of the private RabbitMQ that `make test BROKER=4` asks for; its data are none for another version.
ASKED = {name: os.environ[name] for name in ("BROKER",) if os.environ.get(name)}
STATE = ROOT / "var" / "-".join(("test", *ASKED.values()))
# What a developer's own environment may not decide in a test.
KEPT = ("DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_SSLMODE", "QUEUE_HOST", "QUEUE_PORT", "QUEUE_USER",
        "QUEUE_PASSWORD", "QUEUE_VHOST", "QUEUE_MANAGEMENT_PORT")  # fmt: skip

# How long an example takes tells how busy the machine is, and nothing of the property.
of_properties.register_profile("windmill", deadline=None, suppress_health_check=[HealthCheck.too_slow])
of_properties.load_profile("windmill")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What hostile replies left in the log is made fit to be sent between the processes of a test run."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, str]]:
    """How to reach a real PostgreSQL and a real RabbitMQ; the last of several test runs stops the private ones."""
    named = {name: os.environ[name] for name in KEPT if name in os.environ}
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "in-use").open("w") as in_use:
        if _only_user(in_use):
            private_servers.down(STATE)
            memory_state.begin(STATE)
        fcntl.flock(in_use, fcntl.LOCK_SH)
        try:
            found = private_servers.up(STATE, named | ASKED, report=lambda _: None)
        except WindmillError as error:
            unavailable(str(error))
        if "DB_HOST" not in named:
            asyncio.run(_do_not_wait_for_the_disk(Settings.from_env({**found, **named, "DB_NAME": "postgres"})))
        yield found | named
        if _only_user(in_use):
            private_servers.down(STATE)
            memory_state.end(STATE)


def _only_user(in_use: TextIO) -> bool:
    """Whether no other test run uses the private servers; then none begins to until this one lets it."""
    try:
        fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@pytest.fixture(scope="session")
def template(servers: Mapping[str, str]) -> Iterator[str]:
    """The name of a database with all migrations applied."""
    name = f"windmill_template_{uuid.uuid4().hex[:8]}"
    settings = Settings.from_env({**servers, "DB_NAME": name})

    async def create() -> None:
        await databases.create(settings, name)
        async with database.connection(settings, "tests") as connection:
            await migrate(connection)

    asyncio.run(create())
    yield name
    asyncio.run(databases.drop(settings, name))


@pytest.fixture
def environ(servers: Mapping[str, str], template: str, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The variables of a fleet of its own, for `Settings.from_env` and for commands that are started."""
    with own_environ(servers, template, queues=request.node.get_closest_marker("broker") is not None) as variables:
        yield variables


@contextlib.contextmanager
def own_environ(servers: Mapping[str, str], template: str, *, queues: bool = True) -> Iterator[dict[str, str]]:
    """A database and names of queues that are gone afterwards; `queues` tells whether anything may be in RabbitMQ."""
    unique = uuid.uuid4().hex[:8]
    own = {"DB_NAME": f"windmill_{unique}", "QUEUE_PREFIX": f"test_{unique}_", "RETRY_DELAYS": RETRY_DELAYS}
    settings = Settings.from_env({**servers, **own})
    asyncio.run(databases.create(settings, settings.db_name, template=template))
    yield {**servers, **own}
    if queues:
        asyncio.run(_delete_queues(settings))
    asyncio.run(databases.drop(settings, settings.db_name))


@pytest.fixture
def settings(environ: Mapping[str, str]) -> Settings:
    return Settings.from_env(environ)


@pytest.fixture
async def fleet(environ: Mapping[str, str], settings: Settings, tmp_path: Path) -> AsyncIterator[Fleet]:
    """The commands of a fleet of its own, and a look at its database and queues."""
    async with running_fleet(environ, settings, tmp_path) as running:
        yield running


@pytest.fixture
def other_environ(servers: Mapping[str, str], template: str) -> Iterator[dict[str, str]]:
    with own_environ(servers, template) as variables:
        yield variables


@pytest.fixture
async def other_rows(other_environ: Mapping[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """A second database with the same tables, to compare with."""
    async with database.connection(Settings.from_env(other_environ), "test") as rows:
        yield rows


@pytest.fixture
async def queue_proxy(fleet: Fleet) -> AsyncIterator[Proxy]:
    """A way to RabbitMQ that a test can cut or freeze."""
    async with Proxy(fleet.settings.queue_host, fleet.settings.queue_port) as proxy:
        yield proxy


@pytest.fixture
async def database_proxy(fleet: Fleet) -> AsyncIterator[Proxy]:
    """The same to PostgreSQL."""
    async with Proxy(fleet.settings.db_host, fleet.settings.db_port) as proxy:
        yield proxy


async def _do_not_wait_for_the_disk(settings: Settings) -> None:
    """What the private server holds is to outlive its processes, which tests kill, but not this machine."""
    async with database.connection(settings, "tests") as connection:
        await connection.execute("ALTER SYSTEM SET fsync = off")
        await connection.execute("SELECT pg_reload_conf()")


async def _delete_queues(settings: Settings) -> None:
    """The queues that the fleet of one test may have made; deleting one that is not there is nothing."""
    async with broker.connection(settings, "tests") as opened:
        await broker.delete_queues(opened, settings, [*load_fleet(settings.service_config).services, "extra"])
        await broker.delete_retry_tiers(opened, settings)


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """How to reach a real S3 server, as settings."""
    try:
        with swift_store.running(STATE / "stores", {}) as variables:
            yield variables
    except WindmillError as error:
        unavailable(str(error))


@pytest.fixture(scope="session")
def real_stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStores]:
    """Real servers of every kind of store that images may lie in."""

    def s3() -> Mapping[str, str]:
        found: Mapping[str, str] = request.getfixturevalue("s3")
        return found

    with contextlib.ExitStack() as stack:
        yield RealStores(tmp_path_factory.mktemp("stores"), s3, stack)
