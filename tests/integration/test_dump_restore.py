"""A backup is one that a fleet can go on with: what pg_dump wrote of a filled database, in a fresh PostgreSQL."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from dev.servers import ports
from dev.servers.databases import create
from dev.servers.postgres_programs import PostgresPrograms, installed
from tests.conformance.services.serving import serving
from tests.integration.fleet import Fleet, unavailable
from tests.integration.own_postgres import OwnPostgres
from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.core.settings import ROOT, Settings
from windmill.storage import database

pytestmark = [pytest.mark.broker, pytest.mark.database, pytest.mark.timeout(240)]

IMAGES = 30
SERVICES = ("clip", "yolov8")
BOX = {"x": 10, "y": 20, "width": 50, "height": 100}
PREDICTION = {"label": "dog", "confidence": 0.9, "bbox": BOX, "emoji": "🐶"}
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
SAVE = "INSERT INTO results (image_id, service, status, data) VALUES ($1, $2, 'success', $3)"


@pytest.fixture
def programs() -> PostgresPrograms:
    """Those of the private server, so that pg_dump is not older than it."""
    found = next((one for one in installed() if (one.bin / "pg_dump").exists()), None)
    if found is None:
        unavailable("no pg_dump is installed here; on Debian: apt install postgresql-client")
    assert found is not None
    return found


@pytest.fixture
def fresh(tmp_path: Path, programs: PostgresPrograms) -> Iterator[OwnPostgres]:
    try:
        server = OwnPostgres(tmp_path / "fresh", programs)
    except WindmillError as error:
        unavailable(str(error))
    try:
        server.create()
        server.launch()
        yield server
    finally:
        server.stop()


def run(programs: PostgresPrograms, program: str, settings: Settings, *arguments: str) -> None:
    where = ["-h", settings.db_host, "-p", str(settings.db_port), "-U", settings.db_user]
    argv = [programs.path(program), *where, "-w", "-d", settings.db_name, *arguments]
    env = {"PATH": os.environ["PATH"], "PGPASSWORD": settings.db_password}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)
    if "server version mismatch" in done.stderr:
        unavailable(f"the pg_dump that is installed here is older than the server: {done.stderr}")
    assert done.returncode == 0, done.stderr


async def content(rows: asyncpg.Connection) -> dict[str, list[Any]]:
    """Every row of every table."""
    tables = [row["tablename"] for row in await rows.fetch(TABLES)]
    return {table: await rows.fetch(f"SELECT one::text FROM {table} one ORDER BY 1") for table in tables}


async def filled(fleet: Fleet) -> None:
    """Images, a run, answers, merged boxes, votes, and jobs that still wait."""
    images = await fleet.register_pictures(IMAGES)
    await fleet.produce("--services", ",".join(SERVICES))
    document = json.dumps({"service": "yolov8", "status": "success", "predictions": [PREDICTION], "metadata": {}})
    await fleet.rows.executemany(SAVE, [(image_id, "yolov8", document) for image_id in images[:-5]])
    started = [fleet.start(f"postprocessors.{name}") for name in ("bbox_merger", "consensus")]

    async def derived() -> bool:
        counted = "SELECT (SELECT count(*) FROM merged_boxes) + (SELECT count(*) FROM consensus)"
        return bool(await fleet.rows.fetchval(counted) == 2 * (IMAGES - 5))

    await until(derived, 60, fleet.logs)
    for command in started:
        assert (await command.stop()).code == 0


@pytest.mark.slow(reason="12 s each: a second PostgreSQL is started")
@pytest.mark.parametrize("partitioned", [False, True], ids=["one table", "partitions"])
async def test_a_fresh_postgresql_with_the_dump_of_another_has_no_problem_and_goes_on_where_that_was(
    partitioned: bool, fleet: Fleet, fresh: OwnPostgres, programs: PostgresPrograms, tmp_path: Path
) -> None:
    await filled(fleet)
    if partitioned:
        ended = await fleet.run("windmill", "partitions", "--convert", "--size", "1000")
        assert ended.code == 0, ended.err
    was = await content(fleet.rows)
    dump = tmp_path / "windmill.dump"
    run(programs, "pg_dump", fleet.settings, "--format=custom", f"--file={dump}")
    fleet.environ |= {**fresh.variables(), "DB_HOST": ports.LOOPBACK, "DB_PORT": str(fresh.port)}
    restored = Settings.from_env(fleet.environ)
    await create(restored, restored.db_name)
    run(programs, "pg_restore", restored, "--no-owner", "--exit-on-error", str(dump))
    async with serving(*SERVICES) as services, database.connection(restored, "test") as rows:
        assert await content(rows) == was
        await _is_well(fleet, {service: int(services.farm.url(service).rpartition(":")[2]) for service in SERVICES})
        await _goes_on(rows)


async def _is_well(fleet: Fleet, listening: dict[str, int]) -> None:
    document = json.loads((ROOT / "service_config.json").read_text())
    known = {name: {**document["services"][name], "port": port, "sets": []} for name, port in listening.items()}
    config = fleet.folder / "services.json"
    config.write_text(json.dumps({**document, "services": known}))
    fleet.environ |= {"SERVICE_CONFIG": str(config), "SERVICE_HOST": "127.0.0.1", "IMAGE_ROOT": str(fleet.folder)}
    migrated = await fleet.run("windmill", "migrate")
    assert migrated.code == 0, migrated.err
    declared = await fleet.run("windmill", "declare")
    assert declared.code == 0, declared.err
    doctor = await fleet.run("windmill", "doctor", "--json")
    assert [one for one in doctor.json() if one["state"] == "problem"] == []
    assert doctor.code == 0, doctor.err
    repaired = await fleet.run("windmill", "repair", "--dry-run", "--json")
    assert repaired.code == 0, repaired.err
    found = repaired.json()
    assert found["jobs"] == 0, "each job has an answer or waits in its queue"
    assert set(found["stale_images"].values()) == {0}, "what derives from results rests on those that were restored"


async def _goes_on(rows: asyncpg.Connection) -> None:
    """Ids go on above those that are there, and a new answer makes stale what derives from it."""
    most = await rows.fetchval("SELECT max(result_id) FROM results")
    image_id = await rows.fetchval(
        "INSERT INTO images (image_filename, image_path) VALUES ('new.jpg', '/new.jpg') RETURNING image_id"
    )
    assert image_id > IMAGES
    await rows.execute(SAVE, image_id, "yolov8", "{}")
    assert await rows.fetchval("SELECT result_id FROM results WHERE image_id = $1", image_id) > most
    marked = await rows.fetch("SELECT DISTINCT stage FROM stale WHERE image_id = $1 ORDER BY stage", image_id)
    assert [row["stage"] for row in marked] == ["consensus", "merge"]
