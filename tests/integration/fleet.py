"""One test's fleet: the commands as a user starts them, and a look at the database and queues they share."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import aio_pika
import asyncpg
import orjson
import pytest
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from tests.integration.forked import Forked
from tests.waiting import until
from windmill import broker
from windmill.core.settings import ROOT, Settings
from windmill.storage import database

SMALL_JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
"""Begins as an image; enough where nobody decodes it."""
ANSWER = """
INSERT INTO results (image_id, service, status, data, error_code, error_message, submitted_at)
SELECT image_id, $1, CASE WHEN $3::text IS NULL THEN 'success' ELSE 'error' END, '{"service": "x"}', $3, $3,
       clock_timestamp()
FROM unnest($2::bigint[]) AS image_id
ON CONFLICT (image_id, service) DO UPDATE SET submitted_at = excluded.submitted_at
"""


def unavailable(reason: str) -> NoReturn:
    """Skip on a developer's machine, fail where everything has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        return orjson.loads(self.out)


class Command:
    """One process of the fleet; its output goes to files, so that it never waits for a reader."""

    def __init__(self, process: "subprocess.Popen[bytes] | Forked", out: Path, err: Path) -> None:
        self.process = process
        self._out = out
        self._err = err

    @property
    def log(self) -> str:
        return self._err.read_text(errors="replace")

    async def finished(self, seconds: float = 30) -> Finished:
        await until(lambda: self.process.poll() is not None, seconds, lambda: f"the end of the process\n{self.log}")
        assert self.process.returncode is not None
        return Finished(self.process.returncode, self._out.read_text(errors="replace"), self.log)

    async def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> Finished:
        self.process.send_signal(number)
        return await self.finished(seconds)

    async def kill(self) -> None:
        await self.stop(signal.SIGKILL)

    async def says(self, text: str, times: int = 1, seconds: float = 90) -> None:
        """Return once the log holds the text."""
        await until(lambda: self.log.count(text) >= times, seconds, lambda: f"{text!r} in the log\n{self.log}")

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


@dataclass(frozen=True)
class Message:
    """One message found in a queue."""

    body: bytes
    headers: dict[str, Any]

    @property
    def image_id(self) -> int:
        return int(orjson.loads(self.body)["image_id"])


async def waits_for_a_lock(rows: asyncpg.Connection) -> bool:
    """Whether anybody in this database waits for what another holds."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await rows.fetchval(statement))


class Fleet:
    """Starts commands with this test's settings and asks its servers, past any proxy."""

    def __init__(
        self,
        environ: Mapping[str, str],
        settings: Settings,
        folder: Path,
        rows: asyncpg.Connection,
        queues: aio_pika.abc.AbstractConnection,
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.environ = dict(environ)
        self.rows = rows
        self._queues = queues
        self._started: list[Command] = []

    def start(self, module: str, *arguments: str, stdin: str = "", **variables: str) -> Command:
        """`python -m module arguments` with this fleet's variables and no others, but with all libraries loaded: that
        is most of what a command does until it is at work."""
        given, out, err = self._files(stdin)
        process = Forked(module, arguments, (given, out, err), ROOT, self._environment(variables))
        return self._noted(Command(process, out, err))

    def start_fresh(self, module: str, *arguments: str, stdin: str = "", **variables: str) -> Command:
        """The same as a program of its own, for tests of what a process costs or loads."""
        return self.start_program([sys.executable, "-m", module, *arguments], stdin=stdin, **variables)

    def start_program(self, command: Sequence[str], stdin: str = "", **variables: str) -> Command:
        """Any program as one of the fleet's commands: its log is shown on a failure, and it ends with the test."""
        given, out, err = self._files(stdin)
        with out.open("wb") as to_out, err.open("wb") as to_err, given.open("rb") as from_in:
            process = subprocess.Popen(
                command,
                stdin=from_in,
                stdout=to_out,
                stderr=to_err,
                cwd=ROOT,
                env=self._environment(variables),
            )
        return self._noted(Command(process, out, err))

    async def run(self, module: str, *arguments: str, stdin: str = "", **variables: str) -> Finished:
        """The same to its end."""
        return await self.start(module, *arguments, stdin=stdin, **variables).finished(200)

    def _files(self, stdin: str) -> tuple[Path, Path, Path]:
        """What one command reads and writes."""
        number = len(self._started)
        given, out, err = (self.folder / f"{number}.{name}" for name in ("in", "out", "err"))
        given.write_text(stdin)
        out.touch()
        err.touch()
        return given, out, err

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {**clean_environment(self.folder), **self.environ, **variables}

    def _noted(self, command: Command) -> Command:
        self._started.append(command)
        return command

    async def produce(self, *arguments: str, **variables: str) -> Finished:
        return await self.run("producers.generic", *arguments, **variables)

    async def worker(self, services: str, **variables: str) -> Command:
        """A worker that consumes."""
        command = self.start("workers.generic", SERVICE_NAME=services, **variables)
        await command.says(" consuming ")
        return command

    async def fresh_worker(self, services: str, **variables: str) -> Command:
        """The same as a program of its own, for tests of its memory."""
        command = self.start_fresh("workers.generic", SERVICE_NAME=services, **variables)
        await command.says(" consuming ")
        return command

    async def kill_all(self) -> None:
        for command in self._started:
            if command.process.poll() is None:
                command.process.kill()
            command.process.wait(10)

    async def register(self, count: int, group: str | None = None) -> list[int]:
        """Images that no one will look at."""
        rows = await self.rows.fetch(
            "INSERT INTO images (image_filename, image_path, image_group)"
            " SELECT n || '.jpg', '/pictures/' || gen_random_uuid() || '.jpg', $2 FROM generate_series(1, $1::int) n"
            " RETURNING image_id",
            count,
            group,
        )
        return sorted(row["image_id"] for row in rows)

    async def register_pictures(self, count: int, data: bytes = SMALL_JPEG) -> list[int]:
        """Images that are files."""
        folder = self.folder / "pictures"
        folder.mkdir(exist_ok=True)
        first = len(list(folder.iterdir()))
        paths = [folder / f"{first + number}.jpg" for number in range(count)]
        for path in paths:
            path.write_bytes(data)
        rows = await self.rows.fetch(
            "INSERT INTO images (image_filename, image_path) SELECT 'picture.jpg', path FROM unnest($1::text[]) path"
            " RETURNING image_id",
            [str(path) for path in paths],
        )
        return sorted(row["image_id"] for row in rows)

    async def results(self, service: str | None = None) -> list[asyncpg.Record]:
        statement = "SELECT * FROM results WHERE service = coalesce($1, service) ORDER BY image_id, service"
        return list(await self.rows.fetch(statement, service))

    async def answer(self, service: str, image_ids: Sequence[int], code: str | None = None) -> None:
        """What a worker of this service saves about these images: a result, or an error with this code."""
        await self.rows.execute(ANSWER, service, image_ids, code)

    async def count(self, condition: str = "true") -> int:
        return int(await self.rows.fetchval(f"SELECT count(*) FROM results WHERE {condition}"))

    async def stored(self, number: int, seconds: float = 60) -> None:
        """Return once there are so many successes."""
        await until(lambda: self._has(number), seconds, lambda: f"{number} results\n{self.logs()}")

    async def _has(self, number: int) -> bool:
        return await self.count("status = 'success'") >= number

    def logs(self) -> str:
        return "\n".join(command.log[-3000:] for command in self._started)

    async def depth(self, service: str, suffix: str = "") -> int:
        try:
            async with self._queues.channel() as channel:
                name = broker.work_queue(self.settings, service) + suffix
                queue = await channel.declare_queue(name, passive=True)
                return queue.declaration_result.message_count or 0
        except ChannelNotFoundEntity:
            return 0

    async def take_all(self, service: str, suffix: str = "") -> list[Message]:
        """Every message that is in the queue now, taken off it; none where there is no queue."""
        taken: list[Message] = []
        acknowledged: list[Message] = []
        if not await self.depth(service, suffix):
            return taken

        async def take(message: AbstractIncomingMessage) -> None:
            # What is published meanwhile goes back when the channel closes.
            if len(taken) < expected:
                taken.append(one := Message(message.body, dict(message.headers)))
                await message.ack()
                acknowledged.append(one)  # only now: what is not acknowledged when the channel closes goes back, too

        async with self._queues.channel() as channel:
            queue = await channel.declare_queue(broker.work_queue(self.settings, service) + suffix, passive=True)
            expected = queue.declaration_result.message_count or 0
            tag = await queue.consume(take)
            await until(lambda: len(acknowledged) >= expected, 90, lambda: f"{expected} messages, got {len(taken)}")
            await queue.cancel(tag)
        return taken

    async def image_ids(self, service: str) -> list[int]:
        """The images whose jobs wait for the service, taken off its queue."""
        return sorted(message.image_id for message in await self.take_all(service))

    async def failed(self, service: str, number: int = 1) -> list[Message]:
        """The messages in the service's failed queue, once there are so many."""

        async def there() -> bool:
            return await self.depth(service, ".failed") >= number

        await until(there, 30, lambda: f"{number} failed jobs\n{self.logs()}")
        return await self.take_all(service, ".failed")

    async def put(self, service: str, body: bytes, headers: dict[str, Any] | None = None) -> None:
        """A message of someone else's making."""
        async with self._queues.channel() as channel:
            message = aio_pika.Message(body, headers=headers, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, broker.work_queue(self.settings, service))

    async def delete_queue(self, service: str) -> None:
        async with self._queues.channel() as channel:
            await channel.queue_delete(broker.work_queue(self.settings, service))

    async def declare(self, *services: str) -> None:
        await broker.declare(self._queues, self.settings, services)


@contextlib.asynccontextmanager
async def running_fleet(environ: Mapping[str, str], settings: Settings, folder: Path) -> AsyncIterator[Fleet]:
    # Nothing runs the event loop of a shared scene while other tests run in its process, so it sends no heartbeat.
    queues_that_wait = broker.connection(settings, "test", heartbeat=0)
    async with database.connection(settings, "test") as rows, queues_that_wait as queues:
        fleet = Fleet(environ, settings, folder, rows, queues)
        try:
            yield fleet
        finally:
            await fleet.kill_all()


def clean_environment(folder: Path) -> dict[str, str]:
    """What a command needs beside its settings: nothing of the developer's own .env may decide a test. Many count
    calls; those about canaries turn canaries on."""
    no_settings = folder / "no_settings.env"
    no_settings.touch()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "ENV_FILE": str(no_settings), "PYTHONWARNINGS": "default", "CANARY_SECONDS": "0"}
