"""The doctor and the database: migrations, privileges, rows, and one that hangs."""

import time

import pytest

from tests.integration.doctor.patient import Patient
from tests.integration.proxy import Proxy
from tests.waiting import until
from windmill.storage import database
from windmill.storage.queries import queries

pytestmark = [pytest.mark.broker, pytest.mark.database]


@pytest.mark.parametrize(
    ("statement", "says", "remedy"),
    [
        ("DELETE FROM schema_migrations WHERE version = 1", "not applied: 0001", "python -m windmill migrate"),
        ("DROP TABLE schema_migrations", "none is applied", "python -m windmill migrate"),
        (
            "UPDATE schema_migrations SET digest = 'x' WHERE version = 1",
            "applied with different text",
            "restore the file",
        ),
    ],
)
async def test_migrations_that_are_missing_or_altered_are_named(
    patient: Patient, statement: str, says: str, remedy: str
) -> None:
    await patient.fleet.rows.execute(statement)
    report = await patient.examined()
    assert report.problems == ["migrations"], report.text
    assert says in report.of("migrations")["found"]
    assert remedy in report.of("migrations")["remedy"]


async def test_an_account_that_may_only_read_is_told_what_it_lacks(patient: Patient) -> None:
    name = patient.settings.queue_prefix.strip("_")
    await patient.fleet.rows.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'p'")
    try:
        await patient.fleet.rows.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
        report = await patient.examined(DB_USER=name, DB_PASSWORD="p")
    finally:
        await patient.fleet.rows.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
    assert report.problems == ["privileges"]
    assert f"GRANT INSERT, UPDATE, DELETE ON results TO {name}" in report.of("privileges")["remedy"]


async def test_results_without_an_image_are_told_and_the_remedy_removes_them(patient: Patient) -> None:
    rows = patient.fleet.rows
    await patient.fleet.register(3)
    insert = "INSERT INTO results (image_id, service, data, status) SELECT n, 'clip', '{}', 'success'"
    await rows.execute(f"{insert} FROM generate_series(1, 5) AS n")
    finding = (await patient.examined()).of("orphans")
    assert (finding["state"], finding["found"]) == (
        "warning",
        "2 of 5 images with results that were looked at are not registered",
    )
    await rows.execute(finding["remedy"][finding["remedy"].index("DELETE") :])
    assert await rows.fetchval("SELECT array_agg(image_id ORDER BY image_id) FROM results") == [1, 2, 3]
    assert (await patient.examined()).of("orphans")["state"] == "ok"


async def test_an_idle_transaction_that_keeps_dead_rows_is_told_before_a_working_one(patient: Patient) -> None:
    async with database.connection(patient.settings, "forgotten") as idle, idle.transaction():
        await idle.execute("INSERT INTO images (image_filename, image_path) VALUES ('a', '/a')")
        statement = queries()["long_transactions"]
        await until(lambda: patient.fleet.rows.fetch(statement, 600.0, 0.0))
        [row] = await patient.fleet.rows.fetch(statement, 600.0, 0.0)
        assert (row["application_name"], row["state"]) == ("forgotten", "idle in transaction")
        assert await patient.fleet.rows.fetch(statement, 600.0, 60.0) == []


async def test_so_does_a_database(patient: Patient, database_proxy: Proxy) -> None:
    database_proxy.freeze()
    began = time.monotonic()
    report = await patient.examined("--timeout", "1", DB_HOST="127.0.0.1", DB_PORT=str(database_proxy.port))
    assert time.monotonic() - began < 9
    assert report.of("connect", "database")["found"] == "no connection within 1 s"
    assert report.of("queues")["state"] == "ok"
