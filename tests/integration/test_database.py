"""Connections to a PostgreSQL that hangs."""

from dataclasses import replace

import asyncpg
import pytest

from tests.integration.proxy import Proxy
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.storage import database

pytestmark = pytest.mark.database


async def test_leaving_a_connection_whose_server_hangs_hides_nothing_of_what_went_wrong(settings: Settings) -> None:
    async def work(proxy: Proxy) -> None:
        async with database.connection(replace(settings, db_port=proxy.port), "test"):
            proxy.freeze()
            raise LookupError("what went wrong")

    async with Proxy(settings.db_host, settings.db_port) as proxy:
        with pytest.raises(LookupError, match="what went wrong"):
            await work(proxy)


async def test_a_full_disk_of_the_server_is_told_as_such(settings: Settings) -> None:
    with pytest.raises(WindmillError) as caught, database.translate_errors(settings):
        raise asyncpg.DiskFullError('could not extend file "base/5/1": No space left on device')
    assert caught.value.code == "DATABASE_UNAVAILABLE"
    assert "disk space" in caught.value.remedy


async def test_a_server_that_ends_a_connection_as_it_goes_back_to_the_pool_is_away(settings: Settings) -> None:
    """The driver has an exception of another family for this."""
    with pytest.raises(WindmillError) as caught, database.translate_errors(settings):
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
    assert caught.value.code == "DATABASE_UNAVAILABLE"
    assert caught.value.message.endswith(": the connection was lost")
