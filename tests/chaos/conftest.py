"""A PostgreSQL and a RabbitMQ of these tests' own under var/chaos, which they may restart and empty."""

import asyncio
import uuid
from collections.abc import Iterator, Mapping

import pytest

from dev import servers as private_servers
from dev.servers import databases
from tests.conftest import ASKED
from tests.e2e.conftest import CONFIG, Farm, started_farm
from tests.integration.fleet import Fleet, unavailable
from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.settings import ROOT, Settings
from windmill.storage import database
from windmill.storage.migrations import migrate

STATE = ROOT / "var" / "-".join(("chaos", *ASKED.values()))
SERVICES = ("clip", "inception_v3", "nsfw2")
"""The stand-ins that cost the farm least."""


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, str]]:
    """Restarted by tests, so never those of a user or of other tests."""
    try:
        yield private_servers.up(STATE, ASKED, report=lambda _: None)
    except WindmillError as error:
        unavailable(str(error))
    finally:
        private_servers.down(STATE)


@pytest.fixture
def environ(servers: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A database and queue names of a test's own."""
    unique = uuid.uuid4().hex[:8]
    found = {**servers, "DB_NAME": f"windmill_{unique}", "QUEUE_PREFIX": f"chaos_{unique}_", "RETRY_DELAYS": "0.5,1,2"}
    settings = Settings.from_env(found)
    asyncio.run(create_with_tables(settings))
    yield found
    private_servers.up(STATE, ASKED, report=lambda _: None)  # a test that failed may have left one of them stopped
    asyncio.run(_remove(settings))


async def create_with_tables(settings: Settings) -> None:
    await databases.create(settings, settings.db_name)
    async with database.connection(settings, "tests") as connection:
        await migrate(connection)


async def _remove(settings: Settings) -> None:
    async with broker.connection(settings, "tests") as opened:
        await broker.delete_queues(opened, settings, SERVICES)
    await databases.drop(settings, settings.db_name)


@pytest.fixture(scope="session")
def whole_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    yield from started_farm(CONFIG, tmp_path_factory.mktemp("farm"))


@pytest.fixture
def farm(whole_farm: Farm, fleet: Fleet) -> Farm:
    """Well-behaved, with counts from zero, and found by this test's commands."""
    whole_farm.control.clear_faults(list(whole_farm.control.services()))
    whole_farm.control.reset_counts()
    fleet.environ["SERVICE_PORT_OFFSET"] = str(whole_farm.offset)
    return whole_farm
