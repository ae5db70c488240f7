"""Migrations against a real PostgreSQL."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet
from tests.unit.examples import example
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.storage import database
from windmill.storage.migrations import MIGRATIONS, check_schema, migrate

pytestmark = pytest.mark.database


async def test_a_second_run_applies_nothing(settings: Settings) -> None:
    async with database.connection(settings, "test") as connection:
        assert await migrate(connection) == []


async def test_two_machines_at_once_apply_each_migration_once(settings: Settings) -> None:
    async def one_machine() -> int:
        async with database.connection(settings, "test") as connection:
            return len(await migrate(connection))

    async with database.connection(settings, "test") as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    applied = await asyncio.gather(*(one_machine() for _ in range(4)))
    assert sorted(applied)[:3] == [0, 0, 0]
    assert max(applied) > 0


@pytest.fixture
async def empty(fleet: Fleet) -> Fleet:
    """A fleet whose database has no tables yet."""
    await fleet.rows.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return fleet


async def test_a_migration_that_was_changed_after_it_was_applied_is_refused(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    first = min(folder.glob("*.sql"))
    first.write_text(first.read_text() + "-- one more line\n")
    async with database.connection(settings, "test") as connection:
        with pytest.raises(WindmillError, match=r"0001 .* was applied with different text") as caught:
            await migrate(connection, folder)
    assert "new migration" in caught.value.remedy


async def test_a_migration_that_fails_leaves_nothing_of_itself(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    (folder / "9999_broken.sql").write_text("CREATE TABLE half (id int); SELECT nonsense;")
    with pytest.raises(WindmillError, match="nonsense"):
        async with database.connection(settings, "test") as connection:
            await migrate(connection, folder)
    async with database.connection(settings, "test") as connection:
        assert await connection.fetchval("SELECT to_regclass('half')") is None
        assert await migrate(connection) == []


async def test_the_command_twice_says_what_it_applied_and_then_that_there_is_nothing_to_do(empty: Fleet) -> None:
    first = await empty.run("windmill", "migrate")
    second = await empty.run("windmill", "migrate")
    assert (first.code, second.code) == (0, 0)
    assert "applied 0001 tables" in first.out
    assert second.out == "the database is up to date\n"
    assert first.err + second.err == ""


async def test_two_commands_at_once_apply_each_migration_once(empty: Fleet) -> None:
    commands = [empty.start("windmill", "migrate") for _ in range(3)]
    ends = [await command.finished() for command in commands]
    assert [end.code for end in ends] == [0, 0, 0]
    assert "".join(end.out for end in ends).count("applied 0001") == 1


async def test_a_database_that_is_away_is_one_clear_line_and_exit_code_1(fleet: Fleet) -> None:
    end = await fleet.run("windmill", "migrate", DB_PORT="1")
    assert end.code == 1
    assert end.out == ""
    assert end.err.startswith("DATABASE_UNAVAILABLE: ")
    assert end.err.count("\n") == 1
    assert "127.0.0.1:1" in end.err
    assert "Remedy: start PostgreSQL" in end.err


async def test_a_wrong_password_is_one_clear_line_that_does_not_show_it(fleet: Fleet) -> None:
    end = await fleet.run("windmill", "migrate", DB_PASSWORD="wrong-and-secret")
    assert end.code == 2
    assert "password authentication failed" in end.err
    assert end.err.count("\n") == 1
    assert "wrong-and-secret" not in end.out + end.err


async def test_the_migration_that_is_given_as_an_example_applies_and_lets_its_stage_in(settings: Settings) -> None:
    async with database.connection(settings, "test") as connection:
        await migrate(connection)
        await connection.execute("BEGIN; DROP TABLE IF EXISTS captions")
        await connection.execute(example("extending.md", "CREATE TABLE captions"))
        await connection.execute("INSERT INTO stages (stage) VALUES ('captions')")
        await connection.execute("INSERT INTO stale (stage, image_id) VALUES ('captions', 1)")
        await connection.execute("INSERT INTO captions VALUES (1, '{1}', 'a cat', 1)")
        await connection.execute("ROLLBACK")


@pytest.mark.broker
@pytest.mark.parametrize("module", ["workers.generic", "postprocessors.consensus"])
async def test_a_program_that_is_older_than_the_schema_does_not_start(fleet: Fleet, module: str) -> None:
    await fleet.rows.execute("INSERT INTO schema_migrations (version, name, digest) VALUES (9999, 'later', '')")
    end = await fleet.start(module, SERVICE_NAME="clip").finished()
    assert end.code == 2
    assert "CONFLICT: the database knows migration 9999" in end.err
    assert "Remedy: update the code" in end.err


async def test_a_database_whose_record_of_migrations_cannot_be_read_is_believed(settings: Settings) -> None:
    async with database.pool(settings, "test") as pool:
        await pool.execute("DROP TABLE schema_migrations")
        await check_schema(pool, settings, "SELECT 1 FROM results LIMIT 0")
