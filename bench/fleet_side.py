"""One tree of the fleet benchmark: its database, its programs, and what they and the servers spend."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import meter
from bench.worker_process import Process, environment, start, stop
from windmill.core.settings import Settings
from windmill.storage import database

PROGRAMS = {
    "boxes": ("bbox_merger", "post-processing"),
    "enrichment": ("spatial_enrichment", "post-processing"),
    "votes": ("consensus", "post-processing"),
    "search rows": ("image_index", "post-processing"),
}
"""The post-processors, each a process of its own, and what they log once they work."""
WORKER = "worker"
START_SECONDS = 90.0
POLL_SECONDS = 0.1
BACKENDS = "SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database()"

Spent = dict[str, float]
"""CPU seconds by what spent them."""


class SideFailed(Exception):
    """A program of a tree did not do what it should."""


@dataclass
class Side:
    """A tree with a database and queues of its own. Mutable: it holds the programs that run."""

    name: str
    tree: Path
    environ: Mapping[str, str]
    logs: Path
    servers: Mapping[str, int]
    """The processes of PostgreSQL and RabbitMQ."""
    running: dict[str, Process] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings.from_env(self.environ)

    def run(self, *arguments: str) -> str:
        """Run a command of the tree to its end."""
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.tree,
            env=environment(self.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SideFailed(f"{self.name}: {' '.join(arguments)}: {done.stderr.strip()[-500:]}")
        return done.stdout

    async def start_post_processors(self) -> None:
        there = {one: program for one, program in PROGRAMS.items() if self._has(program[0])}
        for role, (module, _) in there.items():
            self._start(role, f"postprocessors.{module}", {})
        for role, (_, word) in there.items():
            await self._logged(role, word)

    async def start_worker(self) -> None:
        self._start(WORKER, "workers.generic", {"SERVICE_NAME": "all"})
        await self._logged(WORKER, "consuming")

    async def stop(self) -> None:
        for process in self.running.values():
            await asyncio.to_thread(stop, process)
        self.running.clear()

    async def spent(self, rows: database.Connection) -> Spent:
        """CPU so far, without what this connection has cost PostgreSQL."""
        for role, process in self.running.items():
            if process.poll() is not None:
                raise SideFailed(f"{self.name}: {role} ended; its log: {self._log(role)}")
        found = {role: meter.cpu_seconds(process.pid) for role, process in self.running.items()}
        found |= {server: meter.cpu_seconds(pid) for server, pid in self.servers.items()}
        for row in await rows.fetch(BACKENDS):
            role = row["application_name"].rpartition(" ")[2]
            part = f"PostgreSQL for {role.replace('_', ' ')}"
            if row["pid"] == rows.get_server_pid():
                found["PostgreSQL"] -= meter.cpu_seconds(row["pid"])
            elif part.removeprefix("PostgreSQL for ") in self.running:
                found[part] = found.get(part, 0.0) + meter.cpu_seconds(row["pid"])
        return found

    def _has(self, module: str) -> bool:
        return (self.tree / "postprocessors" / f"{module}.py").exists()

    def _start(self, role: str, module: str, variables: Mapping[str, str]) -> None:
        self._log(role).unlink(missing_ok=True)
        own = {**self.environ, "WORKER_ID": role.replace(" ", "_"), **variables}
        self.running[role] = start([sys.executable, "-m", module], own, self._log(role), cwd=self.tree)

    async def _logged(self, role: str, word: str) -> None:
        for _ in range(round(START_SECONDS / POLL_SECONDS)):
            if word in self._log(role).read_text(errors="replace"):
                return
            if self.running[role].poll() is not None:
                break
            await asyncio.sleep(POLL_SECONDS)
        raise SideFailed(f"{self.name}: {role} did not start; its log: {self._log(role)}")

    def _log(self, role: str) -> Path:
        return self.logs / f"{self.name}-{role.replace(' ', '-')}.log"


def difference(after: Spent, before: Spent) -> Spent:
    """What was spent between two moments, by all that there was at the second."""
    return {part: seconds - before.get(part, 0.0) for part, seconds in after.items()}


def mean(several: Sequence[Spent]) -> Spent:
    """The mean of several rounds."""
    parts = {part: None for one in several for part in one}
    return {part: sum(one.get(part, 0.0) for one in several) / len(several) for part in parts}
