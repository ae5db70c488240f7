"""What a request costs the gateway, beside a bare FastAPI handler that asks PostgreSQL the same.

    python bench/gateway.py [--jobs N] [--rounds R] [--requests N] [--rates] [--json]

Three requests: POST /jobs, GET /jobs/{id}, and GET /jobs for the first page of all jobs. The gateway is the program as
it is, with a key; the bare handler runs on the same server (uvicorn, httptools, uvloop), and asks the statements that
the gateway was seen to ask in one transaction, without validation, keys or shaping. Both take turns in every round, and
answer so many requests as fast as they can, over connections that stay open. CPU is that of the server's process,
without what it does besides while nobody asks, so it can be compared on a machine that is busy with other work. The
medians are printed. It takes about two minutes on a machine of two cores that does nothing else.

`--rates` adds the highest steady rate at which 99 of 100 requests are answered within 30 ms, counted from when each was
due. That takes some minutes more, and needs a machine that does nothing else.
"""

import argparse
import asyncio
import json
import random
import socket
import statistics
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from collections.abc import Iterator

from bench import meter
from bench.gateway_load import BadAnswer, Load, MakeRequest
from bench.gateway_statements import ORDER
from bench.temporary_fleet import STATE, temporary_fleet
from bench.worker import FAILED, at_least, say
from bench.worker_process import Process, started
from dev.servers import files
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.operate.keys.keys import NewKey, create_key
from windmill.storage import database
from windmill.storage.audit_log import Actor

P99_MS = 30.0
STEPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
"""Steady rates, as shares of what the server can do at most; the highest is found by halving."""
STEP_SECONDS = 4.0
GOAL = 0.6
KNOWN, WARMING = 1_000, 50
SETTLE_SECONDS, IDLE_SECONDS = 5.0, 10.0
READY_SECONDS = 60.0
REQUESTS = {"make": "POST /jobs", "show": "GET /jobs/{id}", "list": "GET /jobs"}

FILL = """
INSERT INTO jobs (kind, preset, preset_version, inputs, parameters, status, principal, progress, started_at, ended_at)
SELECT 'preset', 'cinematic_portrait_v1', 1, '{"prompt": "a lighthouse"}', '{}', 'succeeded', 'bench', 1,
       clock_timestamp(), clock_timestamp() FROM generate_series(1, $1::bigint)
"""
FILL_STEPS = """
INSERT INTO steps (job_id, position, step, version, parameters, status, planned, settled, weight, cost)
SELECT job_id, position, 'engine', 1, '{}', 'succeeded', 1, 1, 1, 1
FROM (SELECT job_id FROM jobs ORDER BY job_id DESC LIMIT $1) AS j, generate_series(0, 3) AS position
"""
LAST = "SELECT public_id FROM jobs ORDER BY job_id DESC LIMIT $1"
FORGET = (
    "DELETE FROM tasks",
    "DELETE FROM steps WHERE job_id > $1",
    "DELETE FROM job_events WHERE job_id > $1",
    "DELETE FROM jobs WHERE job_id > $1",
)


@dataclass(frozen=True)
class Cost:
    """What was measured of one request at one server: its CPU, how many were answered in a second, and how many may
    come in a second so that they are answered in time."""

    cpu_ms: float
    most: float
    rate: float | None = None


Costs = Mapping[str, Mapping[str, list[Cost]]]
"""By server, then by request."""


@dataclass(frozen=True)
class Course:
    """The jobs that there are, the key, and how to forget the jobs that were made."""

    rows: database.Connection
    key: str
    known: Sequence[uuid.UUID]
    last_job: int
    requests: int
    rates: bool
    idle: Mapping[str, float] = field(default_factory=dict)
    """By server: how much of a core it takes while nobody asks."""

    def request(self, name: str) -> MakeRequest:
        """Makes the bytes of a request, of another job each time."""
        head = f"HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.key}\r\n"
        body = json.dumps(ORDER)
        made = f"POST /jobs {head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        if name == "show":
            return lambda: f"GET /jobs/{random.choice(self.known)} {head}\r\n".encode()
        return (lambda: made) if name == "make" else lambda: f"GET /jobs {head}\r\n".encode()

    async def measure(self, name: str, way: str, port: int, process: Process) -> Cost:
        make, load = self.request(name), Load(port)
        try:
            await load.most(make, WARMING)
            before, began = meter.own_cpu_seconds(process.pid), time.monotonic()
            most = await load.most(make, self.requests)
            spent = meter.own_cpu_seconds(process.pid) - before - self.idle[way] * (time.monotonic() - began)
            await self._forget(name)
            rate = await self._rate(name, load, most) if self.rates else None
            return Cost(spent * 1000 / self.requests, most, rate)
        finally:
            await load.close()

    async def _rate(self, name: str, load: Load, most: float) -> float:
        """The highest at which answers come in time, or 0."""
        make, low, high = self.request(name), 0, len(STEPS)
        while low < high:
            middle = (low + high) // 2
            found = await load.steady(make, most * STEPS[middle], STEP_SECONDS)
            await self._forget(name)
            low, high = (middle + 1, high) if found.p99 < P99_MS else (low, middle)
        return most * STEPS[low - 1] if low else 0.0

    async def _forget(self, name: str) -> None:
        """What was made would make the next requests dearer."""
        for statement in FORGET if name == "make" else ():
            await self.rows.execute(statement, *([self.last_job] if "$1" in statement else []), timeout=600)


async def _idle(servers: Mapping[str, Process]) -> dict[str, float]:
    """Their shares of a core before anybody asks, once they have started."""
    await asyncio.sleep(SETTLE_SECONDS)
    before, began = {way: meter.own_cpu_seconds(process.pid) for way, process in servers.items()}, time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    seconds = time.monotonic() - began
    found = {way: (meter.own_cpu_seconds(process.pid) - before[way]) / seconds for way, process in servers.items()}
    say("while nobody asks: " + ", ".join(f"{way} {share:.2%} of a core" for way, share in found.items()))
    return found


async def prepare(settings: Settings, wanted: argparse.Namespace, rows: database.Connection) -> Course:
    """So many jobs of one principal, and its key."""
    say(f"{wanted.jobs:,} jobs")
    await rows.execute(FILL, wanted.jobs, timeout=1200)
    await rows.execute(FILL_STEPS, min(KNOWN, wanted.jobs), timeout=600)
    for table in ("jobs", "steps"):
        await rows.execute(f"VACUUM ANALYZE {table}", timeout=1200)
    async with database.pool(settings, "bench", max_size=1) as pool:
        new = NewKey("bench", "bench", "operator", requests_per_minute=10_000_000)
        key = (await create_key(pool, settings, Actor("bench"), new)).text
    known = [row["public_id"] for row in await rows.fetch(LAST, min(KNOWN, wanted.jobs))]
    last = await rows.fetchval("SELECT max(job_id) FROM jobs")
    return Course(rows, key, known, last, wanted.requests, wanted.rates)


async def measure(environ: Mapping[str, str], wanted: argparse.Namespace) -> Costs:
    settings = Settings.from_env(environ)
    found: dict[str, dict[str, list[Cost]]] = {way: {name: [] for name in REQUESTS} for way in ("gateway", "bare")}
    async with database.connection(settings, "bench") as rows:
        course = await prepare(settings, wanted, rows)
        with _servers(environ, course) as servers:
            for _, port in servers.values():
                await _until_listening(port)
            course = replace(course, idle=await _idle({way: process for way, (process, _) in servers.items()}))
            for number in range(wanted.rounds):
                for name in REQUESTS:
                    for way in sorted(servers, reverse=bool(number % 2)):
                        process, port = servers[way]
                        found[way][name].append(await course.measure(name, way, port, process))
                        say(f"round {number + 1}  {way:<8} {REQUESTS[name]:<15} {found[way][name][-1]}")
    return found


@contextmanager
def _servers(environ: Mapping[str, str], course: Course) -> Iterator[dict[str, tuple[Process, int]]]:
    """Both, each with its port."""
    log, ports = STATE / "gateway.log", [_free_port(), _free_port()]
    log.unlink(missing_ok=True)
    own = {**environ, "GATEWAY_PORT": str(ports[0]), "ARTIFACTS_URL": str(STATE / "artifacts")}
    bare = [sys.executable, "-m", "bench.bare_gateway", str(ports[1]), course.key, str(course.known[0])]
    with started([sys.executable, "-m", "gateway"], own, log) as one, started(bare, own, log) as other:
        yield {"gateway": (one, ports[0]), "bare": (other, ports[1])}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


async def _until_listening(port: int) -> None:
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > until:
                raise BadAnswer(f"nobody listens on port {port}; see {STATE / 'gateway.log'}") from None
            await asyncio.sleep(0.2)
        else:
            writer.close()
            return


def medians(found: Costs) -> dict[str, dict[str, Cost]]:
    return {way: {name: _median(its) for name, its in requests.items()} for way, requests in found.items()}


def _median(costs: Sequence[Cost]) -> Cost:
    rates = [one.rate for one in costs if one.rate is not None]
    return Cost(
        statistics.median(one.cpu_ms for one in costs),
        statistics.median(one.most for one in costs),
        statistics.median(rates) if rates else None,
    )


def render(found: Costs) -> str:
    """A line for each request, and in the last one the share of the request at which the gateway fares worst."""
    middle = medians(found)
    lines = [f"{'':<15} {'gateway/s':>10} {'CPU ms':>7} {'bare/s':>10} {'CPU ms':>7} {'share':>6}"]
    shares = []
    for name, title in REQUESTS.items():
        ours, bare = middle["gateway"][name], middle["bare"][name]
        shares.append(_share(bare.cpu_ms, ours.cpu_ms))
        lines.append(
            f"{title:<15} {ours.most:>10,.0f} {ours.cpu_ms:>7.2f} {bare.most:>10,.0f} {bare.cpu_ms:>7.2f} "
            f"{shares[-1]:>6.0%}{_told_rates(ours, bare)}"
        )
    lines.append(f"the goal is {GOAL:.0%} of the requests a CPU-second of a bare handler")
    return "\n".join([*lines, f"gateway: {min(shares) * 100:.0f} % of a bare handler"])


def _told_rates(ours: Cost, bare: Cost) -> str:
    if ours.rate is None or bare.rate is None:
        return ""
    share = _share(ours.rate, bare.rate)
    return f"   within {P99_MS:.0f} ms: {ours.rate:,.0f} and {bare.rate:,.0f} a second, {share:.0%}"


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def render_json(found: Costs) -> str:
    rounds = {
        way: {name: [asdict(one) for one in its] for name, its in requests.items()} for way, requests in found.items()
    }
    middle = {way: {name: asdict(one) for name, one in requests.items()} for way, requests in medians(found).items()}
    return json.dumps({"medians": middle, "rounds": rounds}, indent=2)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=at_least(10), default=200_000, help="that there are (%(default)s)")
    parser.add_argument("--rounds", type=at_least(1), default=3, help="medians are taken over these (%(default)s)")
    parser.add_argument(
        "--requests", type=at_least(100), default=2_000, help="to each server of each kind in a round (%(default)s)"
    )
    parser.add_argument("--rates", action="store_true", help="also the rate at which answers come in time")
    parser.add_argument("--json", action="store_true", help="every round and the medians as one JSON document")
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    try:
        with (
            files.locked(STATE / "worker.lock", lambda: say("another benchmark runs here; waits for it")),
            temporary_fleet() as environ,
        ):
            found = asyncio.run(measure(environ, wanted))
        print(render_json(found) if wanted.json else render(found))
    except (BadAnswer, WindmillError) as error:
        say(str(error))
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
