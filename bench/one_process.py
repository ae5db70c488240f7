"""Memory and connections of a whole fleet on one machine: each program as a process, and all in one.

    python bench/one_process.py [--images N]

Both arrangements run every service, stage and step against the stand-ins: N images through all services, and a job of a
preset. Memory is PSS with all children: at rest before the work, its peak meanwhile, and at rest after it.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.meter import cpu_seconds, megabytes
from bench.temporary_fleet import temporary_fleet
from dev.demo import free_offset
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings, named_by_user
from windmill.core.stages import STAGES
from windmill.kernels.text.tables import render_table
from windmill.storage import database

FLEET = load_fleet(ROOT / "service_config.json")
PRESET = ("cinematic_portrait_v1", "--input", "prompt=a lighthouse", "--quality", "low", "--engine", "default")
CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'windmill-%'
"""
AT_REST_SECONDS = 15.0
MOST_SECONDS = 600.0

Program = tuple[Sequence[str], Mapping[str, str]]
"""A module with its arguments, and its variables."""

ARRANGEMENTS: dict[str, list[Program]] = {
    "a process each": [
        *((["workers.generic"], {"SERVICE_NAME": service}) for service in FLEET.services),
        *(([spec.module], {}) for spec in STAGES.values()),
        (["workers.jobs"], {"STEPS": "all"}),
    ],
    "windmill run": [(["windmill", "run", "--gateway", "none"], {})],
}


@dataclass
class Measured:
    """Of one arrangement; mutable."""

    processes: int
    at_first: float = 0.0
    peak: float = 0.0
    at_last: float = 0.0
    connections: int = 0
    cpu: float = 0.0
    seconds: float = 0.0

    def row(self, name: str) -> list[object]:
        memory = [f"{one:.0f} MB" for one in (self.at_first, self.peak, self.at_last)]
        return [name, self.processes, *memory, self.connections, f"{self.cpu:.1f} s", f"{self.seconds:.0f} s"]


@dataclass
class Machine:
    """The programs of one arrangement."""

    environ: Mapping[str, str]
    folder: Path
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", *arguments]
            environ = {**named_by_user(), **self.environ, **variables}
            return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)

    def run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", *arguments]
        environ = {**named_by_user(), **self.environ}
        return subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True).stdout

    def measured(self, of: Callable[[int], float]) -> float:
        for process in self.running:
            if process.poll() is not None:
                sys.exit(f"a program ended; the end of the log:\n{(self.folder / 'log').read_text()[-3000:]}")
        return sum(of(process.pid) for process in self.running)

    def asked(self, statement: str) -> int:
        return asyncio.run(_fetch(Settings.from_env(self.environ), statement))


async def _fetch(settings: Settings, statement: str) -> int:
    async with database.connection(settings, "bench") as connection:
        return int(await connection.fetchval(statement))


@contextmanager
def farm() -> Iterator[str]:
    """The stand-ins run; the offset of their ports."""
    offset = str(free_offset(FLEET))
    command = [sys.executable, "-m", "dev.farm", "--port-offset", offset, "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        process.stdout.readline()
        yield offset
        process.terminate()


def measure(programs: Sequence[Program], environ: Mapping[str, str], images: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine({**environ, "ARTIFACTS_URL": f"{folder}/artifacts"}, Path(folder))
        pictures = Path(folder) / "pictures"
        machine.run("dev.farm.scenes", "--count", str(images), "--seed", "1", "--out", str(pictures))
        machine.run("producers.images", str(pictures))
        machine.running = [machine.start(*arguments, **variables) for arguments, variables in programs]
        try:
            return _measure(machine, Measured(len(programs)), images)
        finally:
            for process in machine.running:
                process.terminate()
            for process in machine.running:
                process.wait(60)


def _measure(machine: Machine, found: Measured, images: int) -> Measured:
    time.sleep(AT_REST_SECONDS)
    found.at_first, before, began = machine.measured(megabytes), machine.measured(cpu_seconds), time.monotonic()
    machine.run("producers.generic", "--services", "all")
    job = json.loads(machine.run("windmill", "jobs", "submit", "--preset", *PRESET, "--json"))["public_id"]
    while not _is_done(machine, images * len(FLEET.services), job):
        found.peak = max(found.peak, machine.measured(megabytes))
        assert time.monotonic() - began < MOST_SECONDS, "it takes too long"
        time.sleep(0.2)
    found.seconds, found.cpu = time.monotonic() - began, machine.measured(cpu_seconds) - before
    found.connections = machine.asked(CONNECTIONS)
    time.sleep(AT_REST_SECONDS)
    found.at_last = machine.measured(megabytes)
    return found


def _is_done(machine: Machine, results: int, job: str) -> bool:
    stored = "(SELECT count(*) FROM results WHERE status = 'success')"
    stale, ended = (
        "(SELECT count(*) FROM stale)",
        f"(SELECT count(*) FROM jobs WHERE public_id = '{job}' AND status = 'succeeded')",
    )
    return bool(machine.asked(f"SELECT ({stored} = {results} AND {stale} = 0 AND {ended} = 1)::int"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=40, help="images for all services (%(default)s)")
    arguments = parser.parse_args()
    rows = []
    with farm() as offset:
        for name, programs in ARRANGEMENTS.items():
            with temporary_fleet() as environ:
                measured = measure(programs, {**environ, "SERVICE_PORT_OFFSET": offset}, arguments.images)
                rows.append(measured.row(name))
    headings = ["arrangement", "processes", "at rest", "peak", "after work", "to PostgreSQL", "CPU", "time"]
    print(render_table(headings, rows))


if __name__ == "__main__":
    main()
