"""Workers of tests.e2e.step_worker, and the jobs that they work on."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.e2e.step_worker import CATALOG
from tests.integration.fleet import Command, Fleet
from tests.job_scene import JobScene
from tests.waiting import until
from windmill import broker
from windmill.core.settings import Settings
from windmill.jobs.submitting import NewJob, NewStep, submit_job
from windmill.storage import database


class WorkerScene:
    """Workers, jobs in a folder, and what has run of them."""

    def __init__(self, fleet: Fleet, jobs: JobScene, folder: Path) -> None:
        self.fleet, self.jobs, self.folder = fleet, jobs, folder

    async def worker(self, steps: str = "all", **variables: str) -> Command:
        command = self.fleet.start("tests.e2e.step_worker", STEPS=steps, **variables)
        await command.says(" running steps ")
        return command

    async def submit(self, *steps: NewStep, shards: int = 1, folder: Path | None = None, **given: Any) -> int:  # noqa: ANN401 - fields of NewJob
        inputs = {"folder": str(folder or self.folder), "shards": shards, **given.pop("inputs", {})}
        return (await submit_job(self.jobs.access, NewJob("test", steps, inputs, **given))).change.job_id

    async def becomes(self, job: int, status: str, seconds: float = 60) -> None:
        async def is_so() -> bool:
            return await self.jobs.status(job) == status

        await until(is_so, seconds, lambda: f"{status}\n{self.fleet.logs()}")

    def runs(self) -> Counter[str]:
        """How often each shard of each step was run."""
        file = self.folder / "runs"
        lines = file.read_text().splitlines() if file.exists() else []
        return Counter(line.rpartition(" ")[0] for line in lines)

    def processes(self, last: int) -> set[str]:
        """Which processes made the last runs."""
        return {line.split()[-1] for line in (self.folder / "runs").read_text().splitlines()[-last:]}

    async def started(self, runs: int) -> None:
        await until(lambda: self.runs().total() >= runs, 60, lambda: f"{runs} runs\n{self.fleet.logs()}")

    def go(self) -> None:
        (self.folder / "go").touch()


@asynccontextmanager
async def worker_scene(fleet: Fleet, settings: Settings, **variables: str) -> AsyncIterator[WorkerScene]:
    """With leases that are short unless these variables say otherwise."""
    fleet.environ |= {"TASK_LEASE_SECONDS": "3", **variables}
    async with database.pool(settings, "test", max_size=4) as pool:
        folder = fleet.folder / "pictures"
        folder.mkdir()
        yield WorkerScene(fleet, JobScene(pool, settings, fleet.rows, CATALOG), folder)
    await fleet.kill_all()
    async with broker.connection(settings, "test") as opened:
        await broker.delete_step_queues(opened, settings, [step.name for step in CATALOG])


def is_alive(process: int) -> bool:
    """Whether it is there and no zombie."""
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
