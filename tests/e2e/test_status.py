"""The fleet at a glance: what `status` shows of workers that run, are killed, or lose their service."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.conftest import Farm
from tests.integration.fleet import Fleet, clean_environment
from tests.integration.proxy import Proxy
from tests.waiting import until
from windmill.core.settings import ROOT

pytestmark = [pytest.mark.database, pytest.mark.broker]


async def looked(fleet: Fleet, *arguments: str) -> dict[str, Any]:
    end = await fleet.run("windmill", "status", "--json", "--services", "yolov8", *arguments)
    assert end.code == 0, end.err
    return dict(end.json())


async def yolov8(fleet: Fleet, *arguments: str) -> dict[str, Any]:
    [service] = (await looked(fleet, *arguments))["services"]
    return dict(service)


async def registered(fleet: Fleet, number: int) -> None:
    async def there() -> bool:
        return int(await fleet.rows.fetchval("SELECT count(*) FROM workers")) >= number

    await until(there, 20, lambda: f"{number} rows in workers\n{fleet.logs()}")


async def test_a_worker_is_live_while_it_runs_lost_when_killed_and_gone_when_stopped(fleet: Fleet, farm: Farm) -> None:
    assert (await yolov8(fleet))["workers"] == 0
    killed = await fleet.worker("yolov8", WORKER_ID="alike")
    stopped = await fleet.worker("yolov8", WORKER_ID="alike")
    await registered(fleet, 2)
    document = await looked(fleet)
    assert [(one["worker_id"], one["lost"]) for one in document["workers"]] == [("alike", False)] * 2
    assert {one["pid"] for one in document["workers"]} == {killed.process.pid, stopped.process.pid}
    assert (await stopped.stop()).code == 0
    await killed.kill()
    service = await yolov8(fleet)
    assert (service["workers"], service["lost"], service["breaker"]) == (1, 0, "closed")

    async def lost() -> bool:
        service = await yolov8(fleet, "--lost-after", "1")
        return (service["workers"], service["lost"]) == (0, 1)

    await until(lost, 20, "the killed worker is lost")


async def test_jobs_that_were_done_show_in_every_column(fleet: Fleet, farm: Farm, picture: bytes) -> None:
    farm.misbehave("yolov8", slowness=0.3)
    await fleet.register_pictures(120, picture)
    await fleet.register(1)
    assert (await fleet.produce("--services", "yolov8")).code == 0
    await fleet.worker("yolov8", WORKER_CONCURRENCY="2")
    seen: dict[str, Any] = {}

    async def fast() -> bool:
        seen.update(await yolov8(fleet))
        return bool(seen["rate"])

    await until(fast, 30, lambda: f"a rate {seen}\n{fleet.logs()}")
    assert seen["eta_seconds"] == pytest.approx((seen["queued"] + seen["in_flight"]) / seen["rate"], rel=0.01)
    assert 0 < seen["in_flight"] <= 6
    assert seen["p50"] > 0
    farm.behave("yolov8")  # enough was seen of it at work
    await fleet.stored(120, 90)
    after: dict[str, Any] = {}

    async def parked() -> bool:  # the row comes before the copy in the failed queue
        after.update(await yolov8(fleet))
        return bool(after["parked"])

    await until(parked, 30, lambda: f"a parked job {after}\n{fleet.logs()}")
    assert (after["done"], after["failed"], after["failures"]) == (120, 1, {"IMAGE_NOT_FOUND": 1})
    assert (after["queued"], after["parked"]) == (0, 1)


async def test_a_service_that_is_away_shows_as_an_open_breaker_with_its_reason(
    fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    await fleet.register_pictures(3, picture)
    assert (await fleet.produce("--services", "yolov8")).code == 0
    farm.misbehave("yolov8", down=1)
    await fleet.worker("yolov8")
    await registered(fleet, 1)
    seen: dict[str, Any] = {}

    async def opened() -> bool:
        seen.update(await yolov8(fleet))
        return bool(seen["breaker"] == "open")

    await until(opened, 20, lambda: f"an open breaker {seen}\n{fleet.logs()}")
    assert (seen["breaker_open"], seen["workers"], seen["failed"]) == (1, 1, 0)
    assert seen["breaker_reason"].startswith("SERVICE_UNREACHABLE: ")
    text = (await fleet.run("windmill", "status", "--services", "yolov8")).out
    assert "open 1/1" in text
    assert "yolov8 is open: SERVICE_UNREACHABLE: " in text


class Watch:
    """`status --watch` with its output piped to us."""

    def __init__(self, fleet: Fleet, *arguments: str, **variables: str) -> None:
        self._err = fleet.folder / "watch.err"
        with self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "windmill", "status", "--watch", *arguments],
                stdout=subprocess.PIPE,
                stderr=err,
                cwd=ROOT,
                env={**clean_environment(fleet.folder), **fleet.environ, **variables},
            )
        assert self._process.stdout
        self._out = self._process.stdout
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while line := await asyncio.to_thread(self._out.readline):
            self.lines.append(line.decode())

    async def documents(self, number: int = 1) -> list[dict[str, Any]]:
        await until(lambda: len(self.lines) >= number, 30, lambda: f"{number} lines\n{self._err.read_text()}")
        return [json.loads(line) for line in self.lines]

    async def shows(self, *, images: bool, queues: bool) -> None:
        """Return once the last document is such."""

        async def it() -> bool:
            last = (await self.documents())[-1]
            return (last["images"] is not None, last["retrying"] is not None) == (images, queues)

        await until(it, 30, lambda: f"{images=} {queues=} {self.lines[-1]}\n{self._err.read_text()}")

    async def ends_well(self, number: int | None = signal.SIGINT, seconds: float = 10) -> None:
        if number:
            self._process.send_signal(number)
        await until(lambda: self._process.poll() is not None, seconds, "the end of the watch")
        assert self._process.returncode == 0, self._err.read_text()
        assert "Traceback" not in self._err.read_text()
        assert "rror" not in self._err.read_text()

    async def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        await asyncio.to_thread(self._process.wait, 10)
        await self._reading
        self._out.close()


@contextlib.asynccontextmanager
async def watching(fleet: Fleet, *arguments: str, **variables: str) -> AsyncIterator[Watch]:
    watch = Watch(fleet, *arguments, **variables)
    try:
        yield watch
    finally:
        await watch.close()


class Turnstile(Proxy):
    """A proxy that counts who came."""

    came = 0

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        super()._accepted(reader, writer)


async def test_watch_prints_block_after_block_until_it_is_interrupted(fleet: Fleet) -> None:
    async with watching(fleet, "0.2") as watch:
        await until(lambda: "".join(watch.lines).count("images registered") >= 3, 30, lambda: watch.lines)
        await watch.ends_well()
        assert "\x1b" not in "".join(watch.lines)


async def test_watch_prints_a_json_document_a_line_over_the_same_connections(fleet: Fleet) -> None:
    settings = fleet.settings
    rows = Turnstile(settings.db_host, settings.db_port)
    queues = Turnstile(settings.queue_host, settings.queue_port)
    async with rows, queues:
        ports = {"DB_PORT": str(rows.port), "QUEUE_PORT": str(queues.port)}
        async with watching(fleet, "0.1", "--json", **ports) as watch:
            found = await watch.documents(5)
            assert [one["images"] for one in found[:5]] == [0] * 5
            assert [one["retrying"] for one in found[:5]] == [0] * 5
            await watch.ends_well()
        assert (rows.came, queues.came) == (1, 1)


async def test_watch_outlives_its_servers_and_says_what_it_cannot_see(
    fleet: Fleet, database_proxy: Proxy, queue_proxy: Proxy
) -> None:
    ports = {"DB_PORT": str(database_proxy.port), "QUEUE_PORT": str(queue_proxy.port)}
    async with watching(fleet, "0.1", "--json", **ports) as watch:
        await watch.shows(images=True, queues=True)
        await database_proxy.cut()
        await watch.shows(images=False, queues=True)
        await queue_proxy.cut()
        await watch.shows(images=False, queues=False)
        await database_proxy.mend()
        await queue_proxy.mend()
        await watch.shows(images=True, queues=True)
        await watch.ends_well()


@pytest.mark.slow(reason="7 s: servers hang for most of them")
async def test_watch_is_interrupted_at_once_although_its_servers_hang(
    fleet: Fleet, database_proxy: Proxy, queue_proxy: Proxy
) -> None:
    ports = {"DB_PORT": str(database_proxy.port), "QUEUE_PORT": str(queue_proxy.port)}
    async with watching(fleet, "0.1", "--json", **ports) as watch:
        await watch.documents()
        database_proxy.freeze()
        queue_proxy.freeze()
        await until(lambda: database_proxy.held_back and queue_proxy.held_back)  # in the middle of a question
        await watch.ends_well()


@pytest.mark.slow(reason="6 s: several looks at a fleet")
async def test_a_reader_that_has_seen_enough_ends_the_watch_without_a_word(fleet: Fleet) -> None:
    command = f"{sys.executable} -m windmill status --watch 0.1 --json | head -n 1"
    ran = await asyncio.create_subprocess_shell(
        f"set -o pipefail; {command}",
        executable="/bin/bash",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**clean_environment(fleet.folder), **fleet.environ},
    )
    out, err = await asyncio.wait_for(ran.communicate(), 30)
    assert (ran.returncode, err) == (0, b"")
    assert json.loads(out)["images"] == 0


async def test_status_without_tables_says_what_to_do(fleet: Fleet) -> None:
    await fleet.rows.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for arguments in ((), ("--watch",)):
        end = await fleet.run("windmill", "status", *arguments)
        assert end.code == 2
        assert "python -m windmill migrate" in end.err
        assert "Traceback" not in end.err


async def test_status_without_a_database_is_one_clear_line_and_exit_code_1(fleet: Fleet) -> None:
    end = await fleet.run("windmill", "status", DB_PORT="1")
    assert end.code == 1
    assert end.err.startswith("DATABASE_UNAVAILABLE: ")
    assert end.err.count("\n") == 1
