"""A temporary fleet: private servers under var/bench, with a database and queue names of its own."""

import asyncio
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from dev import servers
from dev.servers import databases
from windmill import broker
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings, defaults
from windmill.storage import database
from windmill.storage.migrations import migrate

STATE = ROOT / "var" / "bench"


@contextmanager
def temporary_fleet() -> Iterator[dict[str, str]]:
    """The variables of an empty fleet, which is deleted afterwards."""
    ran = any(server.running for server in servers.instance(STATE).status())
    addresses = servers.up(STATE, {}, report=lambda line: print(line, file=sys.stderr))
    unique = uuid.uuid4().hex[:8]
    environ = {**defaults(), **addresses, "DB_NAME": f"bench_{unique}", "QUEUE_PREFIX": f"bench_{unique}_"}
    settings = Settings.from_env(environ)
    try:
        asyncio.run(_create(settings))
        yield environ
    finally:
        asyncio.run(_remove(settings))
        if not ran:
            servers.down(STATE)


async def _create(settings: Settings) -> None:
    await databases.create(settings, settings.db_name)
    async with database.connection(settings, "bench") as connection:
        await migrate(connection)


async def _remove(settings: Settings) -> None:
    await databases.drop(settings, settings.db_name)
    async with broker.connection(settings, "bench") as opened:
        await broker.delete_queues(opened, settings, load_fleet(settings.service_config).services)


async def add_images(settings: Settings, count: int) -> None:
    """Rows in `images` up to this many, as a folder of that many files would make them."""
    async with database.connection(settings, "bench") as connection:
        await connection.execute(
            "INSERT INTO images (image_filename, image_path) SELECT n || '.jpg', '/pictures/2026/' || n || '.jpg' "
            "FROM generate_series((SELECT count(*) FROM images) + 1, $1::bigint) AS n",
            count,
            timeout=600,
        )
        await connection.execute("ANALYZE images")
