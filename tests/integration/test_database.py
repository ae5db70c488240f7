"""Connections to a PostgreSQL that hangs."""

from dataclasses import replace

import asyncpg
import pytest

from tests.integration.fleet import Fleet
from tests.integration.proxy import Proxy
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.storage import database
from windmill.storage.queries import queries

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


async def test_a_pool_that_keeps_plans_makes_none_for_each_list_and_walks_through_no_table(settings: Settings) -> None:
    async with database.pool(settings, "test", keeps_plans=True) as opened:
        for count in range(1, 8):
            await opened.fetch(queries()["read_sources"], "merge", list(range(count)))
        async with opened.acquire() as connection:
            kept = await connection.fetch("SELECT generic_plans, custom_plans FROM pg_prepared_statements")
            assert await connection.fetchval("SHOW enable_seqscan") == "off"
    assert [(row["generic_plans"], row["custom_plans"]) for row in kept if row["generic_plans"] > 1] == [(7, 0)]


async def test_a_pool_that_keeps_plans_asks_once_for_all_types_of_lists(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    ask = asyncpg.Connection._introspect_types  # type: ignore[attr-defined] # the driver's own

    async def counted(connection: asyncpg.Connection, types: set[int], *more: object) -> object:
        asked.append(types)
        return await ask(connection, types, *more)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", counted)
    async with database.pool(settings, "test", max_size=1, keeps_plans=True) as opened:
        for kind in ("bigint", "integer", "text", "json", "float8", "real", "timestamptz"):
            await opened.fetch(f"SELECT $1::{kind}[]", [])
    assert len(asked) == 1


async def test_on_partitions_a_plan_is_made_for_each_list_that_leaves_out_what_is_not_asked_for(
    settings: Settings, fleet: Fleet
) -> None:
    assert (await fleet.run("windmill", "partitions", "--convert", "--size", "1000", "--ahead", "3")).code == 0
    async with database.pool(settings, "test", keeps_plans=True) as opened:
        assert await opened.fetchval("SHOW plan_cache_mode") == "auto"
        assert await opened.fetchval("SHOW enable_seqscan") == "on"
