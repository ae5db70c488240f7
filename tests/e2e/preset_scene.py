"""Presets run as jobs on a bare machine, as somebody types them."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.integration.fleet import Command, Fleet
from tests.waiting import until
from windmill import broker
from windmill.core.settings import Settings
from windmill.pipelines.job_steps.catalog import STEPS


class PresetScene:
    """A bare machine: workers that run all steps, and the commands as somebody types them."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.workers: dict[str, Command] = {}
        self.scratch = fleet.folder / "scratch"
        """Where workers have their scratch folders."""

    async def worker(self, name: str) -> None:
        self.workers[name] = self.fleet.start("workers.jobs", STEPS="all", WORKER_ID=name)
        await self.workers[name].says(" running steps ")

    async def asked(self, *words: str) -> Any:  # noqa: ANN401 - any JSON
        end = await self.fleet.run("windmill", *words, "--json")
        assert end.code == 0, f"{end.err}\n{end.out}\n{self.fleet.logs()}"
        return end.json()

    async def submit(self, preset: str, *words: str) -> str:
        return str((await self.asked("jobs", "submit", "--preset", preset, *words))["public_id"])

    async def kill_the_one_that_works(self) -> None:
        """With -9, while it holds a task."""
        holds = "SELECT worker FROM tasks WHERE status = 'running'"
        await until(lambda: self.fleet.rows.fetchval(holds), 60, self.fleet.logs)
        name = str(await self.fleet.rows.fetchval(holds))
        self.workers[name].process.send_signal(signal.SIGSTOP)
        assert await self.fleet.rows.fetchval(holds) == name, "it was done before it was stopped"
        await self.workers[name].kill()


@asynccontextmanager
async def preset_scene(fleet: Fleet, settings: Settings, lease_seconds: int = 3) -> AsyncIterator[PresetScene]:
    """Nothing is started yet; what was is stopped in the end, and its queues are gone."""
    scene = PresetScene(fleet)
    scene.scratch.mkdir()
    fleet.environ |= {"TASK_LEASE_SECONDS": str(lease_seconds), "ARTIFACTS_URL": str(fleet.folder / "artifacts")}
    fleet.environ["TMPDIR"] = str(scene.scratch)
    yield scene
    await fleet.kill_all()
    async with broker.connection(settings, "test") as opened:
        await broker.delete_step_queues(opened, settings, [step.name for step in STEPS])
